import Replication
import Store
import Synchronization
import Testing
import Tickets
import Transport

@testable import Node

@Suite struct SmallPartsTests {
    private let cheap = ScryptParameters(cost: 1 << 4, blockSize: 1, parallelism: 1)

    @Test("a verifier matches its own password alone, and says with what it was made")
    func verifier() throws {
        let verifier = try PasswordVerifier.make("correct horse", for: "wang", parameters: cheap)
        #expect(verifier.hasPrefix("scrypt$16$1$1$"))
        #expect(PasswordVerifier.verify("correct horse", against: verifier))
        #expect(!PasswordVerifier.verify("correct hors", against: verifier))
        #expect(try PasswordVerifier.make("correct horse", for: "wang", parameters: cheap) != verifier)
        #expect(!PasswordVerifier.verify("", against: PasswordVerifier.nobody))
        for damaged in ["", "scrypt$16$1$1$AAAA", "scrypt$99999999999$8$1$AAAA$AAAA", verifier + "$", "md5$1$1$1$A$A"] {
            #expect(!PasswordVerifier.verify("correct horse", against: damaged))
        }
    }

    @Test("weak passwords are refused")
    func weak() {
        #expect(throws: PasswordVerifier.Weakness.tooShort(charactersMin: 8)) {
            try PasswordVerifier.make("1234567", for: "wang", parameters: cheap)
        }
        #expect(throws: PasswordVerifier.Weakness.isName) {
            try PasswordVerifier.make("WangXiaoming", for: "wangxiaoming", parameters: cheap)
        }
    }

    @Test(
        "statuses end as exit codes",
        arguments: [
            (200, Node.ExitStatus.success), (400, .usage), (403, .failure), (404, .notFound), (409, .conflict),
            (422, .failure),
            (500, .failure), (502, .unreachable), (503, .unreachable),
        ])
    func exitCodes(_ status: Int, _ expected: Node.ExitStatus) {
        #expect(Node.ExitStatus(httpStatus: status) == expected)
    }

    @Test("every kind of error has a status, a code and a next step in both languages", arguments: Language.allCases)
    func errors(_ language: Language) {
        let site = SiteCode(validated: "hz.zj")
        let errors: [(any Error, Int, String)] = [
            (Refusal.noSuchTicket, 404, "noSuchTicket"), (Refusal.closed, 409, "closed"),
            (Refusal.locked(arbiter: site), 403, "locked"), (Refusal.missing(.title), 422, "missing"),
            (Refusal.custodyMoved(site: site, department: "NET"), 409, "custodyMoved"),
            (APIFailure.notRunning, 503, "notRunning"),
            (APIFailure.malformed(field: "x", expected: "y"), 400, "malformed"),
            (StoreError.folderInUse(path: "/x", owner: "process 1"), 503, "folderInUse"),
            (StoreError.notInitialised(path: "/x"), 404, "notInitialised"),
            (StoreError.diskAlmostFull(path: "/x", freePercentMin: 5), 507, "diskAlmostFull"),
            (EnrolmentError.noAuthority, 403, "enrolment"),
            (TransportError.timedOut(phase: "handshake", milliseconds: 1), 502, "transport"),
        ]
        for (error, status, code) in errors {
            let described = APIError(error, language)
            #expect((described.status, described.code) == (status, code))
            #expect(!described.message.isEmpty && !described.next.isEmpty, "\(error)")
        }
    }

    @Test(
        "instants are written and read without loss",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_800_000_000_123, "2027-01-15T08:00:00.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        ] as [(Int64, String)])
    func instants(_ milliseconds: Int64, _ text: String) {
        #expect(Instant(milliseconds).text == text)
        #expect(Instant(text) == Instant(milliseconds))
    }

    @Test(
        "what lies outside the years 1 to 9999 is shown as their end",
        arguments: [Int64.min, -62_135_596_800_001, .max])
    func extremes(_ milliseconds: Int64) {
        let end = milliseconds < 0 ? "0001-01-01T00:00:00.000Z" : "9999-12-31T23:59:59.999Z"
        #expect(Instant(milliseconds).text == end && Instant(end) == Instant(milliseconds))
        for offset in [-840, 0, 840] {
            #expect(CivilTime(milliseconds: milliseconds, utcOffsetMinutes: offset).short.count == 16)
        }
    }

    @Test("typed instants take the zone of the machine unless they name one")
    func typed() {
        #expect(Instant("2027-01-15T16:00", utcOffsetMinutes: 480) == Instant(1_800_000_000_000))
        #expect(Instant("2027-01-15 16:00:00+08:00") == Instant(1_800_000_000_000))
        #expect(Instant("2027-01-15", utcOffsetMinutes: 0) == Instant(1_799_971_200_000))
        for wrong in ["", "tomorrow", "2027-02-30", "2027-01-15T25:00", "2027-1-5T10:00", "2027-01-15T10"] {
            #expect(Instant(wrong) == nil)
        }
    }

    @Test("the language follows LC_ALL before LANG, and the first of Accept-Language")
    func languages() {
        #expect(Language(environment: ["LANG": "zh_CN.UTF-8"]) == .chinese)
        #expect(Language(environment: ["LANG": "zh_CN.UTF-8", "LC_ALL": "C"]) == .english)
        #expect(Language(environment: [:]) == .english)
        #expect(Language(acceptLanguage: "zh-CN,zh;q=0.9,en;q=0.8") == .chinese)
        #expect(Language(acceptLanguage: nil) == .english)
    }

    @Test("progress is a bar on a terminal, a line for each tenth otherwise, and nothing for programs")
    func progress() {
        let written = Mutex("")
        func reporter(_ style: ProgressReporter.Style) -> ProgressReporter {
            ProgressReporter(
                "rebuild", style: style, monotonic: { 1 }, write: { text in written.withLock { $0 += text } })
        }
        let lines = reporter(.lines)
        for done in 0...100 { lines.update(done, of: 100) }
        lines.finish()
        let text = written.withLock { $0 }
        #expect(text.split(separator: "\n").count == 11)
        #expect(text.hasSuffix("rebuild: 100/100 (100 %)\n"))
        written.withLock { $0 = "" }
        let bar = reporter(.bar)
        bar.update(1, of: 2)
        bar.finish()
        bar.finish()
        #expect(written.withLock { $0 }.contains("██████████████░░░░░░░░░░░░░░ 1/2 (50 %)"))
        written.withLock { $0 = "" }
        reporter(.silent).update(1, of: 2)
        #expect(written.withLock { $0 } == "")
    }

    @Test("addresses escape what is not a letter or digit")
    func escaping() {
        #expect(APIPath.escape("彩信 a/b") == "%E5%BD%A9%E4%BF%A1%20a%2Fb")
        #expect(APIPath.query("/x", [("a", "1"), ("b", nil), ("c", "&")]) == "/x?a=1&c=%26")
    }
}

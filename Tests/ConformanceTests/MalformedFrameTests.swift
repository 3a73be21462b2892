import Foundation
import NIOCore
import TestSupport
import Testing
import Transport

/// Malformed frames in bulk: no trap, no hang, no growth, and everybody else is still served.
/// Source: Protocols/http2.md §4.
@Suite("Malformed frames", .timeLimit(.minutes(60)))
struct MalformedFrameTests {
    /// `BANJIE_FRAMES` says how many; `BANJIE_FRAMES_SEED` is the first burst's seed.
    private static let environment = ProcessInfo.processInfo.environment
    private static let frameCount = environment["BANJIE_FRAMES"].flatMap { Int($0) } ?? 5_000
    private static let firstSeed = environment["BANJIE_FRAMES_SEED"].flatMap { UInt64($0) } ?? 1
    /// One frame of so many goes over a socket.
    private static let socketShare = environment["BANJIE_FRAMES"] == nil ? 5 : 100
    /// What the process may have grown by since the first tenth. Alone: with other tests beside it, this says nothing.
    private static let growthBytesMax = 32 << 20

    @Test("each burst ends its connection or leaves one that answers")
    func sessions() throws {
        let start = ContinuousClock.now
        var report = FrameReport(firstSeed: Self.firstSeed)
        var baseline: Int?
        while report.frames < Self.frameCount {
            var burst = try FrameBurst(seed: report.nextSeed)
            do {
                try burst.run()
            } catch {
                Issue.record(error, "BANJIE_FRAMES=1 BANJIE_FRAMES_SEED=\(burst.seed) shows it again")
                report.violations.append(burst.seed)
                if report.violations.count == 10 { break }
            }
            report.add(burst)
            if baseline == nil, report.frames > Self.frameCount / 10 { baseline = Self.residentBytes }
        }
        report.seconds = (ContinuousClock.now - start) / .seconds(1)
        #expect(report.outlasted > 0 && report.endings.count > 2, "the generator is too harsh, or too mild: \(report)")
        if let path = Self.environment["BANJIE_FRAMES_REPORT"] {
            report.grownBytes = Self.residentBytes - (baseline ?? 0)
            #expect(report.grownBytes <= Self.growthBytesMax)
            try JSONEncoder().encode(report).write(to: URL(filePath: path))
        }
    }

    @Test("the same over sockets: another client is answered after each burst")
    func sockets() async throws {
        let authority = try TestAuthority.shared.get()
        var limits = TransportLimits.node
        limits.floodPenaltyMilliseconds = 0
        // Connections that end are waited for by their client only.
        limits.connectionsPerCertificateMax = 64
        let server = HTTP2Server(
            address: .hostPort("127.0.0.1", 0), tls: try authority.serverContext(), limits: limits, logger: quiet,
            handler: Conversation.mirror)
        try await withServer(server) { server in
            let honest = try await HTTP2Client.connect(
                to: .hostPort("127.0.0.1", try await server.port), tls: try authority.clientContext(authority.server),
                expectedPeer: .uri(TestAuthority.serverURI), logger: quiet)
            var (frames, seed) = (0, Self.firstSeed)
            while frames < Self.frameCount / Self.socketShare {
                frames += try await Self.attack(server, authority.branch, seed: seed)
                let stream = try await honest.open(HTTP2RequestHead(authority: "a", path: "/\(seed)"), endStream: true)
                let answer = String(buffer: try await stream.collect(bytesMax: 1_000))
                #expect(answer.hasPrefix("GET /\(seed)\n"), "after burst \(seed)")
                seed += 1
            }
            await honest.close()
            try await eventually("the server has ended them all") { server.connectionCount == 0 }
        }
    }

    /// - Returns: frames that were sent before the connection ended.
    private static func attack(_ server: HTTP2Server, _ identity: TLSIdentity, seed: UInt64) async throws -> Int {
        var generator = FrameGenerator(seed: seed)
        let client = try await RawClient(server, identity)
        var sent = 0
        for piece in generator.burst() where client.isActive {
            try? await client.send([piece])
            sent += 1
        }
        try? await client.send([FrameBurst.zeros])
        try await eventually("the end after burst \(seed)", within: 10) { !client.isActive }
        return sent
    }

    private static var residentBytes: Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let fields = text.split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
    }
}

/// What was thrown, and what came of it.
struct FrameReport: Codable, CustomStringConvertible {
    var firstSeed: UInt64
    var lastSeed: UInt64
    var bursts = 0
    var frames = 0
    var seconds = 0.0
    var grownBytes = 0
    /// Connections that were still there after their burst.
    var outlasted = 0
    /// The others, by the code of their GOAWAY.
    var endings: [String: Int] = [:]
    var violations: [UInt64] = []

    init(firstSeed: UInt64) {
        self.firstSeed = firstSeed
        lastSeed = firstSeed
    }

    var nextSeed: UInt64 { firstSeed + UInt64(bursts) }

    mutating func add(_ burst: FrameBurst) {
        lastSeed = burst.seed
        bursts += 1
        frames += burst.frameCount
        if let ending = burst.ending { endings["\(ending)", default: 0] += 1 } else { outlasted += 1 }
    }

    var description: String { "\(frames) frames, \(outlasted) of \(bursts) outlasted, \(endings)" }
}

import Foundation
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// A person in tickets of three offices, and what is left of them after two admins have agreed.
/// Source: Protocols/personal-data.md.
@Suite struct PersonalDataTests {
    static let number = "13857154321"
    static let name = "欧阳若曦"
    static let place = "文三路九十八号六〇二"
    /// What must not be found in any file, as people write it.
    static let traces = [number, "+86" + number, "86" + number, "138 5715 4321", name, place, "欧阳", "九十八号"]

    /// The files of a folder, whole.
    static func files(_ path: String) throws -> [(path: String, bytes: Data)] {
        let manager = FileManager.default
        var isFolder: ObjCBool = false
        guard manager.fileExists(atPath: path, isDirectory: &isFolder) else { return [] }
        guard isFolder.boolValue else { return [(path, try Data(contentsOf: URL(fileURLWithPath: path)))] }
        var result: [(String, Data)] = []
        for name in try manager.subpathsOfDirectory(atPath: path) {
            let file = path + "/" + name
            let type = try manager.attributesOfItem(atPath: file)[.type] as? FileAttributeType
            guard type == .typeRegular else { continue }
            result.append((file, try Data(contentsOf: URL(fileURLWithPath: file))))
        }
        return result
    }

    /// Where any of these octets stand.
    static func found(_ needles: [(String, Data)], in paths: [String]) throws -> [String] {
        var result: [String] = []
        for path in paths {
            for file in try files(path) {
                for (name, needle) in needles where file.bytes.range(of: needle) != nil {
                    result.append("\(name) in \(file.path)")
                }
            }
        }
        return result
    }

    static var plain: [(String, Data)] { traces.map { ($0, Data($0.utf8)) } }

    static func secrets(of office: Province.Office) throws -> [(String, Data)] {
        try office.node.reader.secretsForTests().flatMap { entry in
            [("secret \(entry.id)", Data(entry.secret)), ("wrapped \(entry.id)", Data(entry.wrapped))]
        }
    }

    @Test("after two admins have agreed nothing of the person is in any file of three offices, a backup or a bundle")
    func erased() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        let xihu = try await province.add("xihu.hz.zj")
        let offices = [zj, hz, xihu]
        let ticket = try await xihu.openForPerson()
        try await xihu.importPerson(root: province.root)
        for office in offices {
            try await eventually("both tickets are at \(office.site), and can be read") {
                try await office.shows(Self.name, ticket) && (try office.node.reader.counts().tickets) == 2
            }
            #expect(try await office.list(customer: "138-5715-4321").count == 2)
        }
        // Nothing was ever written in clear; what can be read is opened for the reader.
        try await eventually("the search has what it indexes") {
            try offices.allSatisfy { try $0.node.reader.counts().searchBacklog == 0 }
        }
        let folders = offices.map(\.folder.path)
        #expect(try Self.found(Self.plain, in: folders) == [])
        #expect(try Self.found([("title", Data("宽带断网".utf8))], in: folders).count >= 3, "the search finds")
        var secrets: [(String, Data)] = []
        for office in offices { secrets += try Self.secrets(of: office) }
        #expect(secrets.count == 6, "one key, three disks")
        let before = try Self.found(secrets, in: folders)
        #expect(before.contains { $0.hasPrefix("wrapped") } && !before.contains { $0.hasPrefix("secret") })

        let old = province.root + "/old.db"
        _ = try hz.node.reader.backup(to: old, now: 1) { _, _ in }
        let proposal: ErasureReport = try await hz.post(
            "customers/erasures", ErasureRequest(number: Self.number, reason: "客户要求"), "李管", "admin")
        #expect(proposal.confirmed == nil && proposal.keys.count == 1)
        await #expect(throws: APIError.self) {
            let _: ErasureReport = try await hz.post(
                "customers/erasures/\(proposal.id)/confirm", ErasureConfirmation(), "李管", "admin")
        }
        await #expect(throws: APIError.self) {
            let _: ErasureReport = try await hz.post(
                "customers/erasures/\(proposal.id)/confirm", ErasureConfirmation(), "王管", "supervisor")
        }
        #expect(try await hz.shows(Self.name, ticket), "one signature erases nothing")
        let confirmed: ErasureReport = try await hz.post(
            "customers/erasures/\(proposal.id)/confirm", ErasureConfirmation(), "王管", "admin")
        #expect(confirmed.confirmer?.name == "王管")

        for office in offices {
            try await eventually("the key is gone at \(office.site), and its octets from the disk") {
                try office.node.reader.secretsForTests().isEmpty && !office.node.reader.hasErasedPending()
            }
            #expect(try await office.withheld(ticket) == ["erased"])
            #expect(try await !office.shows(Self.name, ticket))
            #expect(try await office.list(customer: Self.number).count == 2, "found by the number, and not read in")
            let seen: ErasureList = try await office.get("customers/erasures")
            #expect(seen.items.map(\.proposer.name) == ["李管"] && seen.items[0].confirmer?.name == "王管")
        }
        let new = province.root + "/new.db"
        _ = try hz.node.reader.backup(to: new, now: 2) { _, _ in }
        let bundle = try await hz.create(for: zj, path: province.root + "/new.bundle")
        let sought = Self.plain + secrets
        #expect(try Self.found(sought, in: folders + [new] + bundle.bundles.map(\.path)) == [])
        #expect(try Self.found(secrets, in: [old]).count == 1, "the backup from before has the key of its disk")

        // The backup from before comes back, and meets a peer.
        await hz.stop()
        try await eventually("the folder is free") {
            (try? Restoration.run(
                folder: hz.folder, path: old, isForced: false, progress: ProgressReporter("", style: .silent),
                logger: quiet)) != nil
        }
        #expect(try !Self.found(secrets, in: [hz.folder.database]).isEmpty, "the key is back")
        try await hz.start()
        try await eventually("the restored office has heard of the erasure") {
            try hz.node.reader.secretsForTests().isEmpty && !hz.node.reader.hasErasedPending()
        }
        #expect(try await hz.withheld(ticket) == ["erased"])
        await province.stop()
    }

    @Test("whoever lacks a key shows that it is not here yet, asks for it, and gets it if the ticket is theirs")
    func asksForKeys() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        let ticket = try await hz.openForPerson()
        try await eventually("the province can read it") { try await zj.shows(Self.name, ticket) }
        try await eventually("all is acknowledged") { try hz.node.reader.peer(zj.site)?.toSendCount == 0 }
        await zj.stop()
        // As on a disk whose own key was lost.
        try FileManager.default.removeItem(atPath: zj.folder.tls + "/sealing.key")
        try await zj.start()
        try hz.dial(zj)
        #expect(try await zj.withheld(ticket) == ["notHere"])
        await hz.stop()
        try await hz.start()
        try await eventually("the branch has given the key again") { try await zj.shows(Self.name, ticket) }
        await province.stop()
    }

    @Test("a bundle carries the keys of what it carries")
    func bundles() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let hz = try await province.add("hz.zj")
        try await hz.work(tickets: 1)
        try await settled(hz, zj)
        await zj.stop()
        let ticket = try await hz.openForPerson()
        let bundle = try await hz.create(for: zj, path: province.root + "/x.bundle")
        _ = try await zj.apply(bundle.bundles[0].path)
        #expect(try await zj.shows(Self.name, ticket))
        #expect(try Self.found(Self.plain, in: [zj.folder.path, bundle.bundles[0].path]) == [])
        await province.stop()
    }
}

extension Province.Office {
    fileprivate func call<Answer>(_ body: (NodeClient) async throws -> Answer) async throws -> Answer {
        var opened: NodeClient?
        try await eventually("the folder of \(site) can be opened") {
            opened = try? await NodeClient.open(folder, language: .english, logger: quiet)
            return opened != nil
        }
        let client = try #require(opened)
        do {
            let answer = try await body(client)
            await client.close()
            return answer
        } catch {
            await client.close()
            throw error
        }
    }

    func get<Answer: Decodable>(_ path: String) async throws -> Answer {
        try await call { try await $0.get("/api/v1/" + path) }
    }

    func post<Answer: Decodable>(
        _ path: String, _ request: some Encodable & Sendable, _ name: String, _ role: String
    ) async throws -> Answer {
        try await call {
            try await $0.post("/api/v1/" + path, Enveloped(request, actor: Actor(name: name, role: role), seen: nil))
        }
    }

    /// - Returns: the ticket's id.
    fileprivate func openForPerson() async throws -> String {
        let receipt: TicketReceipt = try await post(
            "tickets", OpenRequest(title: "宽带断网", body: "昨晚起", customer: PersonalDataTests.number), "小王", "dispatcher")
        let id = receipt.ticket.id
        for (field, value) in [
            ("contact", "\(PersonalDataTests.name) \(PersonalDataTests.number)"), ("location", PersonalDataTests.place),
            ("customer", PersonalDataTests.name),
        ] {
            let _: TicketReceipt = try await post(
                "tickets/\(id)/set", SetRequest(field: field, value: value), "小王", "dispatcher")
        }
        return id
    }

    fileprivate func importPerson(root: String) async throws {
        let csv = root + "/log.csv"
        let mapping = root + "/mapping.yaml"
        try """
        Case,At,Status,Thing,Who,Where,Phone
        A1,2020-01-01 08:00,Queued,光猫,\(PersonalDataTests.name),\(PersonalDataTests.place),\(PersonalDataTests.number)

        """.write(toFile: csv, atomically: true, encoding: .utf8)
        try """
        source: old
        ticket: Case
        time: { columns: At, formats: yyyy-MM-dd HH:mm }
        status: Status
        fields: { title: "{Thing}", contact: Who, location: Where, customerLabel: Phone }
        constants: { department: SVC }
        """.write(toFile: mapping, atomically: true, encoding: .utf8)
        let job: JobState = try await call { client in
            var job: JobState = try await client.post("/api/v1/jobs/import", ImportRequest(csv: csv, mapping: mapping))
            try await eventually("the import has ended") {
                if !job.isFinished { job = try await client.get("/api/v1/jobs/\(job.id)") }
                return job.isFinished
            }
            return job
        }
        if let error = job.error { throw error }
        #expect(job.importReport?.taken == 1)
    }

    fileprivate func detail(_ ticket: String) async throws -> TicketDetail {
        try await get("tickets/\(ticket)")
    }

    /// Whether one of the ticket's values has the text.
    fileprivate func shows(_ text: String, _ ticket: String) async throws -> Bool {
        guard let detail = try? await detail(ticket) else { return false }
        return detail.fields.contains { $0.values.contains { $0.value.contains(text) } }
            && detail.timeline.contains { $0.details["value"]?.contains(text) ?? false }
    }

    /// Why values are not shown.
    fileprivate func withheld(_ ticket: String) async throws -> Set<String> {
        let detail = try await detail(ticket)
        return Set(detail.fields.flatMap { $0.values.compactMap(\.withheld) } + detail.timeline.compactMap(\.withheld))
    }

    fileprivate func list(customer: String) async throws -> [TicketListEntry] {
        let page: TicketPage = try await get(APIPath.query("tickets", [("customer", customer)]))
        return page.items
    }
}

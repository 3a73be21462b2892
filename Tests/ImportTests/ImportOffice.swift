import Foundation
import Logging
@testable import Node
import Replication
import Store
import Tickets

/// A node in a folder of its own that imports and exchanges operations by hand.
final class ImportOffice {
    static let key = [UInt8](repeating: 7, count: 32)

    let folder: DataFolder
    let node: SyncNode
    let site: SiteCode
    private var sent: FeedCursor
    private var received: [SiteCode: FeedCursor] = [:]

    init(_ site: String, replica: UInt64, parent: String? = nil) async throws {
        self.site = SiteCode(validated: site)
        folder = DataFolder(path: NSTemporaryDirectory() + "banjie-import-\(UUID().uuidString)")
        let (writer, _) = try Store.open(
            folder,
            creating: NodeIdentity(
                site: self.site, replica: ReplicaID(replica), parent: parent.map(SiteCode.init(validated:))))
        node = try SyncNode(writer: writer, catalog: .standard, clock: NodeClock(), logger: Logger(label: "import"))
        sent = FeedCursor(feed: ReplicaID(replica))
        try await node.announceIfNew(certificateFingerprint: [])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder.path)
    }

    func write(_ name: String, _ text: String) throws -> String {
        let path = folder.path + "/" + name
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    func run(
        _ csv: String, _ mapping: String, _ options: ImportOptions = ImportOptions(), operationsMax: Int = 2_000,
        progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
    ) async throws -> ImportReport {
        try await Importer(operationsMax: operationsMax).run(
            csv: csv, mapping: mapping, options: options, node: node, key: Self.key, progress: progress)
    }

    /// What is stored; the search index follows in its own time.
    func counts() throws -> StoreCounts {
        var counts = try node.reader.counts()
        counts.searchBacklog = 0
        return counts
    }

    func tickets() throws -> [EntityID: Ticket] {
        var result: [EntityID: Ticket] = [:]
        try node.reader.forEachTicket { result[$0.id] = $0 }
        return result
    }

    private func meet(_ other: ImportOffice) async throws -> PeerID {
        let hello = SyncMessage.Hello(
            version: 1, site: other.site, replica: other.node.identity.replica, wallMilliseconds: 0, run: 1)
        let role: PeerRole = site.parent == other.site ? .parent : .child
        return try await node.meet(hello, role: role).id
    }

    /// Takes what the other has for this office since the last time.
    func take(from other: ImportOffice) async throws {
        var cursor = received[other.site] ?? FeedCursor(feed: other.node.identity.replica)
        let own = try await meet(other)
        let mine = try await other.meet(self)
        while let batch = try other.node.reader.nextBatch(for: mine, after: cursor).batch {
            try await node.administer { writer in
                var hasher = ContentHasher()
                let hashes = batch.operations.map { hasher.hash($0) }
                _ = try writer.commit(
                    [
                        MergeBatch(
                            source: .peer(own, .backlog(batch.end)), operations: batch.operations, hashes: hashes)
                    ], now: 0)
            }
            cursor = batch.end
        }
        received[other.site] = cursor
    }
}

/// What a ticket's course says, without the dots, which differ from import to import.
struct CourseDescription: Hashable {
    var status: TicketStatus
    var reopenedCount: Int
    var holders: [String]

    init(_ ticket: Ticket) {
        let summary = ticket.summary()
        status = summary.status
        reopenedCount = summary.reopenedCount
        holders = summary.path.map { "\($0.cycle) \($0.site) \($0.department) \($0.since)" }
    }
}

enum SampleLog {
    static let mapping = """
        source: sample
        ticket: Case
        time: { columns: At, formats: yyyy-MM-dd HH:mm }
        actor: Who
        department: Team
        status: Status
        fields: { title: "About {Thing}", region: Country }
        events:
          transferWhenChanges: Team
          transferWhenSiteChanges: true
          accept: Accepted
          reply: Solved
          feedback: Told
          close: Closed
        sites:
          column: Country
          default: north
          groups:
            north: { site: hz.zj, values: [SE] }
            south: { site: nb.zj, values: [IN] }
        """
    static let header = "Case,At,Who,Team,Status,Thing,Country\n"
    static let first = """
        A,2020-01-01 08:00,Eva,T1,Queued,pump,SE
        A,2020-01-01 08:10,Eva,T1,Accepted,pump,SE
        A,2020-01-01 09:00,Raj,T2,Queued,pump,IN
        A,2020-01-01 09:30,Raj,T2,Accepted,pump,IN
        B,2020-01-02 08:00,Raj,T2,Accepted,valve,IN

        """
    static let second = """
        A,2020-01-01 10:00,Raj,T2,Solved,pump,IN
        A,2020-01-01 11:00,Eva,T1,Closed,pump,SE
        A,2020-01-03 08:00,Raj,T2,Accepted,pump,IN
        A,2020-01-03 09:00,Raj,T2,Closed,pump,IN
        B,2020-01-02 09:00,Raj,T2,Told,valve,IN
        B,2020-01-02 09:05,Raj,T2,Closed,valve,IN

        """
}

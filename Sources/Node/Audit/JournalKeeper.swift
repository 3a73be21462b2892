internal import Logging
internal import Store

/// Anchors the journal, takes away what is old, and looks once a day whether it is whole. Source: Protocols/audit.md §4.
struct JournalKeeper: Sendable {
    /// Between two looks.
    static let lookMilliseconds: Int64 = 3_600_000
    /// After a start, so that short ones write nothing.
    static let firstLookMilliseconds: Int64 = 60_000
    /// Between two checks of the whole journal.
    static let checkMilliseconds: Int64 = 86_400_000

    static let checkedFact = "journal.checked"

    let node: SyncNode
    let logger: Logger
    private let access = StoreAccess()

    init(node: SyncNode, logger: Logger) {
        self.node = node
        self.logger = logger
    }

    /// Runs until it is cancelled.
    func run() async {
        var pause = Self.firstLookMilliseconds
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(pause))
            guard !Task.isCancelled else { break }
            do {
                try await look()
            } catch {
                logger.error("the journal cannot be kept: run `banjie audit verify`", metadata: ["error": "\(error)"])
            }
            pause = Self.lookMilliseconds
        }
        await node.flushJournalFlood(all: true)
    }

    func look() async throws {
        await node.flushJournalFlood()
        let now = node.clock.now()
        // Checked before anything is taken away or anchored: an anchor on a changed journal would vouch for the change.
        let checked = try await access.run { try node.reader.fact(Self.checkedFact) }.flatMap { Int64($0) } ?? 0
        if now - checked >= Self.checkMilliseconds || now < checked {
            let check = try await access.run { try node.reader.checkJournal(now: now) }
            if !check.isIntact {
                logger.error("the journal is not what it was: run `banjie audit verify`")
            }
            try await node.administer { try $0.setFact(Self.checkedFact, "\(now)") }
        }
        let pruned = try await node.administer { try $0.pruneJournal(now: now) }
        if pruned > 0 { logger.info("old entries of the journal were taken away", metadata: ["count": "\(pruned)"]) }
        try await node.anchorJournal()
    }
}

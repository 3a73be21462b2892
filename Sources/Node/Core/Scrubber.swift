internal import Logging
internal import Replication
internal import Store

/// Reads the whole store again, a little at a time: rows of the log against their hashes, entities against their
/// operations. A damaged row is recorded and logged once, and waits for a sound copy from a peer; a wrong entity is
/// folded again at once. Source: Protocols/operations.md §9.
struct Scrubber: Sendable {
    /// Rows of the log in one step: a few milliseconds of one core.
    static let rowsMax = 2_000
    /// Entities in one step.
    static let entitiesMax = 200
    /// Between two steps of the slow pass.
    static let pauseMilliseconds = 1_000
    /// Steps after which the slow pass remembers where it is; a cut repeats as many.
    static let rememberStepsMax = 60
    /// After a pass because something could not be read; what cannot be read meanwhile waits for it.
    static let suspicionMilliseconds = 600_000
    /// From the end of one slow pass to the beginning of the next.
    static let intervalMilliseconds: Int64 = 86_400_000

    /// What a pass has found.
    struct Findings: Sendable, Hashable {
        var operationCount = 0
        var entityCount = 0
        var damagedCount = 0
        var cured: [EntityID] = []
        /// Wrong, and not to be folded before a damaged row is healed.
        var waiting: [EntityID] = []
    }

    let node: SyncNode
    let logger: Logger
    private let access = StoreAccess()

    init(node: SyncNode, logger: Logger) {
        self.node = node
        self.logger = logger
    }

    // MARK: The slow pass

    /// Runs until it is cancelled.
    func run() async {
        while !Task.isCancelled {
            do {
                let finished = Int64(try await fact("finished") ?? "0") ?? 0
                let due = finished + Self.intervalMilliseconds - NodeClock.system()
                if due > 0, due <= Self.intervalMilliseconds {
                    try await Task.sleep(for: .milliseconds(due))
                }
                try await slowPass()
                try await remember("finished", "\(NodeClock.system())")
            } catch is CancellationError {
                return
            } catch {
                logger.error("the store cannot be read through: run `banjie doctor`", metadata: ["error": "\(error)"])
                // Of the log as well, should it have broken since it was read.
                if StoreError.isMalformed(error) { try? await remember("arrival", nil) }
                node.suspectDamage(error)
                try? await Task.sleep(for: .milliseconds(Self.intervalMilliseconds))
            }
        }
    }

    /// Goes over the log at once when a session has met a record that cannot be read; runs until it is cancelled.
    func runOnSuspicion() async {
        for await _ in node.suspicions.stream {
            var findings = Findings()
            do {
                try await operations(from: 0, into: &findings) { _, _ in }
                logger.notice(
                    "the log was read through, since a row could not be read",
                    metadata: ["operations": "\(findings.operationCount)", "damaged": "\(findings.damagedCount)"])
                try await Task.sleep(for: .milliseconds(Self.suspicionMilliseconds))
            } catch is CancellationError {
                return
            } catch {
                logger.error("the log cannot be read through: run `banjie doctor`", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .milliseconds(Self.suspicionMilliseconds))
            }
        }
    }

    private func slowPass() async throws {
        var findings = Findings()
        var arrival = Int64(try await fact("arrival") ?? "0") ?? 0
        if arrival >= 0 {
            try await operations(from: arrival, into: &findings) { next, steps in
                if steps % Self.rememberStepsMax == 0 { try await remember("arrival", "\(next)") }
                try await Task.sleep(for: .milliseconds(Self.pauseMilliseconds))
            }
            arrival = -1
            try await remember("arrival", "-1")
        }
        try await entities(from: Int64(try await fact("entity") ?? "0") ?? 0, into: &findings) { next, steps in
            if steps % Self.rememberStepsMax == 0 { try await remember("entity", "\(next)") }
            try await Task.sleep(for: .milliseconds(Self.pauseMilliseconds))
        }
        try await remember("entity", nil)
        try await remember("arrival", nil)
    }

    private func fact(_ name: String) async throws -> String? {
        try await access.run { try node.reader.fact("scrub." + name) }
    }

    private func remember(_ name: String, _ value: String?) async throws {
        try await node.administer { try $0.setFact("scrub." + name, value) }
    }

    // MARK: A whole pass at once

    /// - Parameter progress: rows looked at, and rows in all.
    func pass(progress: @escaping @Sendable (Int, Int) -> Void) async throws -> Findings {
        var findings = Findings()
        let total = try await access.run { try node.reader.counts().operations }
        progress(0, total)
        var done = 0
        try await operations(from: 0, into: &findings) { _, _ in
            done = min(done + Self.rowsMax, total)
            progress(done, total)
        }
        try await entities(from: 0, into: &findings) { _, _ in }
        try await remember("finished", "\(NodeClock.system())")
        progress(total, total)
        return findings
    }

    // MARK: Steps

    private func operations(
        from start: Int64, into findings: inout Findings,
        after step: (_ next: Int64, _ steps: Int) async throws -> Void
    ) async throws {
        try await node.administer { try $0.recheckDamaged() }
        var arrival = start
        var steps = 0
        var failure: (any Error)?
        while true {
            let from = arrival
            let found = try await access.run {
                try node.reader.scrubOperations(after: from, limit: Self.rowsMax)
            }
            findings.operationCount += found.rowCount
            do {
                findings.damagedCount += try await node.remember(damaged: found.damaged)
            } catch {
                // The rest is looked at before it is said.
                failure = failure ?? error
            }
            guard let next = found.next else { break }
            arrival = next
            steps += 1
            try await step(next, steps)
        }
        if let failure { throw failure }
    }

    private func entities(
        from start: Int64, into findings: inout Findings,
        after step: (_ next: Int64, _ steps: Int) async throws -> Void
    ) async throws {
        try await node.administer { try $0.catchUpProjection() }
        var number = start
        var steps = 0
        while true {
            let from = number
            let found = try await access.run {
                try node.reader.scrubEntities(after: from, limit: Self.entitiesMax)
            }
            findings.entityCount += found.rowCount
            try await cure(found.wrong, trustingStates: true, into: &findings)
            guard let next = found.next else { break }
            number = next
            steps += 1
            try await step(next, steps)
        }
        let missing = try await access.run { try node.reader.entitiesMissingOperations() }
        try await cure(missing, trustingStates: false, into: &findings)
    }

    private func cure(
        _ entities: [EntityID], trustingStates: Bool, into findings: inout Findings
    ) async throws {
        let now = node.clock.now()
        for id in entities {
            let isCured = try await node.administer { try $0.refold(id, now: now, trustsState: trustingStates) }
            if isCured { findings.cured.append(id) } else { findings.waiting.append(id) }
            logger.error(
                isCured
                    ? "an entity was not what its operations give: it was folded again"
                    : "an entity is not what its operations give, and has a damaged row: a peer's copy will heal it",
                metadata: ["entity": "\(id)"])
        }
    }
}

internal import Replication
internal import Store
internal import Synchronization
internal import Tickets

/// What an import has done, or with a dry run would do.
package struct ImportReport: Hashable, Sendable, Codable {
    /// Rows of the file.
    package var rows = 0
    /// Tickets of the file.
    package var tickets = 0
    /// Rows of this office that something was written for.
    package var taken = 0
    /// Rows of this office of which everything was there.
    package var alreadyThere = 0
    /// Rows of other offices.
    package var elsewhere = 0
    package var refusedCount = 0
    /// By line, the first of them.
    package var refused: [RefusedRow] = []
    /// Operations written; those for the course of tickets opened here are among them whosever the row is.
    package var operations = 0
    package var isDryRun = false
    package var milliseconds: Int64 = 0

    package init() {}

    package var rowsPerSecond: Double {
        milliseconds > 0 ? Double(taken + alreadyThere) * 1_000 / Double(milliseconds) : 0
    }
}

/// Imports an event log into a node. Plans on a thread that may block, then writes in transactions of bounded size, so
/// that people's commands get their turn; whatever ends it in between, a repetition goes on where it stopped.
///
/// Source: Protocols/import.md.
package struct Importer: Sendable {
    private let operationsMax: Int

    /// - Parameter operationsMax: of one transaction; its last row may go over it.
    package init(operationsMax: Int = ImportLimits.transactionOperationsMax) {
        self.operationsMax = max(operationsMax, 1)
    }

    /// - Parameter key: the province's, 32 bytes.
    /// - Parameter progress: rows done and rows in all; called after each transaction, must not block.
    /// - Throws: `FileProblem` for mapping or file, `ImportOptionProblem`, what the store throws, and
    ///   `CancellationError` between two transactions.
    package func run(
        csv: String, mapping: String, options: ImportOptions = ImportOptions(), node: SyncNode, key: [UInt8],
        progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
    ) async throws -> ImportReport {
        let started = NodeClock.monotonic()
        let site = node.identity.site
        let plan = try await StoreAccess().run {
            try Self.plan(csv: csv, mapping: mapping, options: options, site: site, key: key)
        }
        var report = ImportReport(plan)
        report.isDryRun = options.isDryRun
        let total = plan.tickets.reduce(0) { $0 + $1.rows.count }
        progress(0, total)
        var position = ImportPosition()
        while position.ticket < plan.tickets.count {
            try Task.checkCancellation()
            let step = try await write(plan, from: position, node, isDryRun: options.isDryRun)
            position = step.end
            report.taken += step.taken
            report.alreadyThere += step.alreadyThere
            report.operations += step.operations
            progress(position.rows, total)
        }
        report.milliseconds = NodeClock.monotonic() - started
        return report
    }

    static func plan(
        csv: String, mapping path: String, options: ImportOptions, site: SiteCode, key: [UInt8]
    ) throws -> ImportPlan {
        let mapping = try ImportMapping(path: path)
        let table = try CSVTable(path: csv, encoding: mapping.encoding, separator: mapping.separator)
        return try ImportPlanner(mapping, table: table, options: options, site: site, key: key).plan()
    }

    /// One transaction.
    private func write(
        _ plan: ImportPlan, from start: ImportPosition, _ node: SyncNode, isDryRun: Bool
    ) async throws -> ImportStep {
        let result = Mutex(ImportStep(end: start))
        let operationsMax = operationsMax
        let site = node.identity.site
        let catalogVersion = node.catalog.version
        do {
            _ = try await node.append { transaction in
                let step = try ImportStep(
                    plan, from: start, operationsMax: operationsMax, site: site, catalogVersion: catalogVersion,
                    into: &transaction)
                result.withLock { $0 = step }
                // A dry run is a transaction that is thrown away.
                if isDryRun { throw DryRunEnd() }
            }
        } catch is DryRunEnd {
        }
        return result.withLock { $0 }
    }
}

private struct DryRunEnd: Error {}

/// How far an import is.
struct ImportPosition: Hashable, Sendable {
    /// Index of the next ticket.
    var ticket = 0
    /// Index of its next row.
    var row = 0
    /// Rows done in all.
    var rows = 0
}

/// What one transaction of an import does.
struct ImportStep: Hashable, Sendable {
    var end: ImportPosition
    var taken = 0
    var alreadyThere = 0
    var operations = 0

    init(end: ImportPosition) {
        self.end = end
    }

    /// Writes rows until the transaction is full; a row is never split.
    init(
        _ plan: ImportPlan, from start: ImportPosition, operationsMax: Int, site: SiteCode, catalogVersion: UInt32,
        into transaction: inout AppendTransaction
    ) throws {
        self.init(end: start)
        // Rows that are there already cost reading only, but a transaction that reads forever holds up people.
        let rowsMax = operationsMax * 4
        while end.ticket < plan.tickets.count {
            let ticket = plan.tickets[end.ticket]
            var writer = try TicketImport(
                ticket, source: plan.source, site: site, catalogVersion: catalogVersion, into: &transaction)
            while end.row < ticket.rows.count {
                let before = transaction.operations.count
                if before >= operationsMax || end.rows - start.rows >= rowsMax {
                    operations = before
                    return
                }
                try writer.write(end.row, into: &transaction)
                let isWritten = transaction.operations.count > before
                if ticket.rows[end.row].isOwn {
                    if isWritten { taken += 1 } else { alreadyThere += 1 }
                }
                end.row += 1
                end.rows += 1
            }
            end.ticket += 1
            end.row = 0
        }
        operations = transaction.operations.count
    }
}

extension ImportReport {
    init(_ plan: ImportPlan) {
        rows = plan.rowCount
        tickets = plan.ticketCount
        elsewhere = plan.elsewhereCount
        refusedCount = plan.refused.count
        refused = Array(plan.refused.prefix(ImportLimits.refusedListedMax))
    }
}

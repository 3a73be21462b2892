internal import Foundation
internal import Logging
internal import Node
internal import Replication
internal import Store
internal import Tickets
internal import Transport

/// A province's node in this process, without listeners: what is measured of commands and of imports.
struct LocalNode {
    let folder: DataFolder
    let node: SyncNode

    private static let people = [
        Author(
            name: "陈静", role: .dispatcher, level: .province, site: WorkloadStream.province, department: "热线受理科"),
        Author(
            name: "周磊", role: .dispatcher, level: .province, site: WorkloadStream.province, department: "来访接待处"),
    ]

    init(path: String) async throws {
        try? FileManager.default.removeItem(atPath: path)
        folder = DataFolder(path: path)
        var configuration = NodeConfiguration()
        configuration.listen = nil
        configuration.enrolment = nil
        configuration.console = nil
        _ = try await Offices.initialiseProvince(
            folder: folder, site: WorkloadStream.province,
            options: InitOptions(configuration: configuration, logger: quiet))
        node = try SyncNode.open(folder: folder, logger: quiet)
    }

    /// What commands know of the tickets that earlier ones have opened.
    struct Progress {
        fileprivate var tickets: [EntityID: (id: EntityID, version: VersionVector)] = [:]
        /// Operations written.
        var count = 0
    }

    /// One command a transaction, as people give them: the state is read, `decide` runs, the operation is committed. On
    /// the node's own thread, as the reference's commits are on its caller's.
    /// - Returns: how long they took; `progress` counts those that were carried out.
    func execute(_ operations: ArraySlice<WorkloadOperation>, _ progress: inout Progress) async throws -> Measured {
        let (measured, next) = try await Self.execute(operations, progress, at: node)
        progress = next
        return measured
    }

    private static func execute(
        _ operations: ArraySlice<WorkloadOperation>, _ former: Progress, at node: isolated SyncNode
    ) async throws -> (Measured, Progress) {
        var progress = former
        let start = Instant.now()
        for entry in operations {
            let known = progress.tickets[entry.operation.entity]
            guard let action = action(entry.body), known != nil || entry.operation.kind == Kind.open.operationKind
            else { continue }
            let command = TicketCommand(ticket: known?.id, version: known?.version ?? VersionVector(), action: action)
            let executed: Executed
            do {
                executed = try node.execute(command, by: people[progress.count % people.count])
            } catch is Refusal {
                // A transfer to where the ticket is already, for example: nothing was written, nothing counts.
                continue
            }
            var version = known?.version ?? VersionVector()
            for dot in executed.dots { version.record(dot) }
            progress.tickets[entry.operation.entity] = (executed.ticket, version)
            progress.count += executed.dots.count
        }
        // The node's other work gets its turn, within the time that is measured.
        await Task.yield()
        return (start.elapsed(), progress)
    }

    private static func action(_ body: Body) -> TicketCommand.Action? {
        switch body {
        case .open(var open):
            open.number = ""
            open.department = ""
            return .open(open)
        case .setField(let set): return .set(set.field, set.value)
        case .transfer(let transfer):
            return .transfer(
                .dispatch, site: transfer.site, department: transfer.department, reason: "", note: transfer.note)
        case .chase(let chase): return .chase(customer: nil, promised: nil, note: chase.note, channel: "")
        case .note(let note): return .note(note.text)
        case .close(let close): return .close(reason: close.reason, isConfirmedByCustomer: false, score: 0)
        default: return nil
        }
    }

    /// What an import does: operations without `decide`, in large transactions.
    func append(_ operations: [WorkloadOperation]) async throws -> Measured {
        let bodies = try relabelled(operations)
        let start = Instant.now()
        var index = 0
        while index < operations.count {
            let end = min(index + StoreWriter.transactionOperationsMax, operations.count)
            let entries = zip(operations[index..<end], bodies[index..<end]).map { ($0.operation.entity, $1) }
            let people = Self.people
            _ = try await node.append { transaction in
                for (number, entry) in entries.enumerated() {
                    try transaction.append(entry.1, to: entry.0, author: people[number % people.count])
                }
            }
            index = end
        }
        return start.elapsed()
    }

    /// The same bodies, with custodies named by the dots that this node is going to give.
    private func relabelled(_ operations: [WorkloadOperation]) throws -> [Body] {
        var dots: [Dot: Dot] = [:]
        // Sequence 1 is the node's announcement.
        for (index, entry) in operations.enumerated() {
            dots[entry.operation.dot] = Dot(node.identity.replica, UInt64(index) + 2)
        }
        return operations.map { entry in
            guard case .transfer(var transfer) = entry.body else { return entry.body }
            transfer.custody = dots[transfer.custody] ?? transfer.custody
            return .transfer(transfer)
        }
    }

    func checkpoint() async throws {
        try await node.administer { try $0.checkpoint() }
    }
}

let quiet = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }

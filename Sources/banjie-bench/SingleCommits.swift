/// One command a transaction beside one row's transaction. The disk's own time changes from second to second, so both take
/// turns, a few at a time.
struct SingleCommits {
    /// Commands between two turns.
    static let turn = 100

    let node: Measured
    let operations: Int
    let reference: Measured
    let rows: Int

    static func run(_ operations: [WorkloadOperation], root: String) async throws -> SingleCommits {
        let rows = ReferenceStore.rows(operations)
        let store = try ReferenceStore(path: root + "/reference.db")
        defer { store.close() }
        let statements = try store.statements()
        defer { statements.finalise() }
        let local = try await LocalNode(path: root + "/single")
        var progress = LocalNode.Progress()
        var (node, reference) = (Measured(seconds: 0, processorSeconds: 0), Measured(seconds: 0, processorSeconds: 0))
        for start in stride(from: 0, to: operations.count, by: turn) {
            let turn = start..<min(start + turn, operations.count)
            reference += try store.write(rows[turn], perTransaction: 1, statements)
            node += try await local.execute(operations[turn], &progress)
        }
        return SingleCommits(node: node, operations: progress.count, reference: reference, rows: rows.count)
    }
}

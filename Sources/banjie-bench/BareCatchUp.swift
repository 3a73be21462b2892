internal import Foundation
internal import GRDBSQLite

/// The work that SQLite itself has with a few operations on a large base: they are read from one database in the order
/// they came and inserted, with their tickets' rows, into another, in one durable commit. Both have the reference's
/// layout and stay open; every statement is prepared once.
final class BareCatchUp {
    /// Of every operation, here and at the node.
    static let text = "市民来电催办，请尽快处理并答复"
    /// Of nobody in the base.
    private static let origin: Int64 = 13
    private static let chase: Int64 = 10
    private static let noRegister: Int64 = -1

    private let source: ReferenceStore
    private let target: ReferenceStore
    private let read: OpaquePointer
    private let sourceStatements: ReferenceStore.Statements
    private let targetStatements: ReferenceStore.Statements
    private var sequence: Int64 = 0
    private var time: Int64

    /// - Parameter time: later than that of every operation of the base.
    init(source: String, target: String, time: Int64) throws {
        self.source = try ReferenceStore(path: source, isNew: false)
        self.target = try ReferenceStore(path: target, isNew: false)
        self.time = time
        read = try self.source.prepare(
            "SELECT seq, time, ticket, kind, field, text FROM log WHERE origin = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3")
        sourceStatements = try self.source.statements()
        targetStatements = try self.target.statements()
    }

    /// - Returns: seconds from the reading to the end of the commit.
    func run(tickets: [Int]) throws -> Double {
        let behind = sequence
        let text = ContiguousArray(Self.text.utf8.map { CChar(bitPattern: $0) })
        try source.step(sourceStatements.begin)
        for ticket in tickets {
            sequence += 1
            time += 1
            try source.insert(
                ReferenceStore.Row(
                    origin: Self.origin, sequence: sequence, time: time, ticket: Int64(ticket), kind: Self.chase,
                    register: Self.noRegister, text: text), sourceStatements)
        }
        try source.step(sourceStatements.commit)
        let start = Instant.now()
        let rows = try rows(behind: behind, count: tickets.count)
        try target.step(targetStatements.begin)
        for row in rows { try target.insert(row, targetStatements) }
        try target.step(targetStatements.commit)
        let measured = start.elapsed()
        guard rows.count == tickets.count else { throw BenchError("the reference lost operations") }
        return measured.seconds
    }

    private func rows(behind sequence: Int64, count: Int) throws -> [ReferenceStore.Row] {
        sqlite3_bind_int64(read, 1, Self.origin)
        sqlite3_bind_int64(read, 2, sequence)
        sqlite3_bind_int64(read, 3, Int64(count))
        defer { sqlite3_reset(read) }
        var rows: [ReferenceStore.Row] = []
        while sqlite3_step(read) == SQLITE_ROW {
            let bytes = UnsafeBufferPointer(
                start: sqlite3_column_text(read, 5), count: Int(sqlite3_column_bytes(read, 5)))
            rows.append(
                ReferenceStore.Row(
                    origin: Self.origin, sequence: sqlite3_column_int64(read, 0), time: sqlite3_column_int64(read, 1),
                    ticket: sqlite3_column_int64(read, 2), kind: sqlite3_column_int64(read, 3),
                    register: sqlite3_column_int64(read, 4),
                    text: ContiguousArray(bytes.map { CChar(bitPattern: $0) })))
        }
        return rows
    }

    func close() {
        sqlite3_finalize(read)
        sourceStatements.finalise()
        targetStatements.finalise()
        source.close()
        target.close()
    }
}

internal import Foundation
internal import GRDBSQLite
internal import Synchronization

/// Moves the write-ahead log into the database on a connection and a thread of its own, while the writer goes on.
///
/// It never reaches the end of a log that grows meanwhile, and only one that has been moved whole begins anew: the short
/// rest is the writer's. Source: Protocols/operations.md §6.
final class Checkpointer: Sendable {
    private enum Stage { case idle, atWork, done, closed }

    private let path: String
    private let queue = DispatchQueue(label: "banjie.checkpoint", qos: .utility)
    private let stage = Mutex(Stage.idle)
    /// Whoever checkpoints holds it: SQLite refuses a second one at once.
    private let lock = NSLock()
    /// Opened for the first checkpoint.
    nonisolated(unsafe) private var connection: OpaquePointer?

    init(path: String) {
        self.path = path
    }

    /// To be called after a commit for as long as the log is too long.
    /// - Returns: true if the writer is to move the rest.
    func advance() -> Bool {
        stage.withLock { stage in
            switch stage {
            case .idle:
                stage = .atWork
                queue.async { self.work() }
                return false
            case .atWork, .closed: return false
            case .done:
                stage = .idle
                return true
            }
        }
    }

    /// To be called after a commit that leaves the log short: what was moved has begun anew.
    func rest() {
        stage.withLock { if $0 == .done { $0 = .idle } }
    }

    /// Runs while no checkpoint does.
    func alone<Value>(_ body: () throws -> Value) rethrows -> Value { try lock.withLock(body) }

    /// Before the writer's connection is closed, so that its is the last.
    func close() {
        stage.withLock { $0 = .closed }
        lock.withLock {
            sqlite3_close(connection)
            connection = nil
        }
    }

    /// What goes wrong is no failure: the log is then as long as it is, and the writer tries.
    private func work() {
        lock.withLock {
            guard stage.withLock({ $0 == .atWork }) else { return }
            if connection == nil { connect() }
            // SQLite would read through a null pointer.
            if let connection { sqlite3_wal_checkpoint_v2(connection, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil) }
        }
        stage.withLock { if $0 == .atWork { $0 = .done } }
    }

    private func connect() {
        // By this connection's level the pages that it moves are flushed; that there is a log it learns by reading.
        let setup = "PRAGMA synchronous = FULL; SELECT count(*) FROM sqlite_schema"
        guard sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE, nil) == SQLITE_OK,
            sqlite3_exec(connection, setup, nil, nil, nil) == SQLITE_OK
        else {
            sqlite3_close(connection)
            connection = nil
            return
        }
    }
}

internal import Replication
internal import Synchronization
internal import Transport

/// A person's session, as far as a request needs it.
struct ConsoleSession: Sendable, Hashable {
    var account: ConsoleAccount
    /// Sent back by every form.
    var token: String
    /// What the account's verifier was at log-in: another password ends the session.
    var verifier: String
}

/// Sessions in memory, by a keyed hash of their id: neither a dump of the table nor its timing gives an id away.
///
/// An id is 256 random bits and lives in the browser's cookie alone. A session ends 30 minutes after its last use and
/// 12 hours after its beginning; a restart of the node ends all.
final class SessionTable: Sendable {
    static let cookieName = "__Host-banjie"

    private struct Entry {
        var session: ConsoleSession
        var created: Int64
        var used: Int64

        func hasEnded(_ now: Int64) -> Bool {
            now - used >= ConsoleLimits.sessionIdleMilliseconds
                || now - created >= ConsoleLimits.sessionAbsoluteMilliseconds
        }
    }

    private let key = randomBytes(32)
    private let entries = Mutex<[[UInt8]: Entry]>([:])

    /// - Parameter now: milliseconds of a clock that never steps.
    /// - Returns: the id for the cookie.
    func begin(_ account: ConsoleAccount, verifier: String, now: Int64) -> String {
        let id = hexadecimal(randomBytes(ConsoleLimits.sessionIdentifierBytes))
        let session = ConsoleSession(
            account: account, token: hexadecimal(randomBytes(ConsoleLimits.sessionIdentifierBytes)), verifier: verifier)
        entries.withLock { entries in
            entries = entries.filter { !$0.value.hasEnded(now) }
            let own = entries.filter { $0.value.session.account.name == account.name }
            if own.count >= ConsoleLimits.sessionsPerAccountMax { Self.dropOldest(of: own, from: &entries) }
            if entries.count >= ConsoleLimits.sessionsMax { Self.dropOldest(of: entries, from: &entries) }
            entries[hash(id)] = Entry(session: session, created: now, used: now)
        }
        return id
    }

    /// - Parameter isUse: false for what a page asks by itself, which does not keep a session alive.
    /// - Returns: nil for an unknown or ended session.
    func find(_ id: String, now: Int64, isUse: Bool) -> ConsoleSession? {
        guard id.utf8.count == 2 * ConsoleLimits.sessionIdentifierBytes else { return nil }
        let hash = hash(id)
        return entries.withLock { entries in
            guard let entry = entries[hash] else { return nil }
            guard !entry.hasEnded(now) else {
                entries[hash] = nil
                return nil
            }
            if isUse { entries[hash]?.used = now }
            return entry.session
        }
    }

    func end(_ id: String) {
        let hash = hash(id)
        entries.withLock { $0[hash] = nil }
    }

    var count: Int { entries.withLock { $0.count } }

    private func hash(_ id: String) -> [UInt8] { hmacSHA256(key: key, message: Array(id.utf8)) }

    private static func dropOldest(of candidates: [[UInt8]: Entry], from entries: inout [[UInt8]: Entry]) {
        if let oldest = candidates.min(by: { $0.value.used < $1.value.used })?.key { entries[oldest] = nil }
    }
}

func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".unicodeScalars)
    var result = String.UnicodeScalarView()
    for byte in bytes {
        result.append(digits[Int(byte >> 4)])
        result.append(digits[Int(byte & 15)])
    }
    return String(result)
}

extension ConsoleSession {
    /// Whether a form came from one of this session's pages; in constant time.
    func accepts(token given: String) -> Bool {
        equalInConstantTime(Array(given.utf8), Array(token.utf8))
    }
}

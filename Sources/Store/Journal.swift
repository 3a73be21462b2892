internal import struct Foundation.Data
internal import GRDB
package import Replication

/// What an entry of the journal says was done; the name is on disk and in exports. Source: Protocols/audit.md §3.
package enum JournalAction: String, Sendable, Hashable, CaseIterable {
    case logIn, logInFailed, logInLocked, logOut
    case numberRevealed
    case tokenMade, tokenRevoked, tokenRedeemed, tokenRefused
    case certificateSigned, certificateRenewed, certificateRefused, ownCertificateRenewed
    case accountSaved, accountRemoved
    case configurationFound, catalogFound
    case parkedReleased, parkedVoided
    case backupMade, bundleMade, bundleApplied, auditExported
    case peerForgotten, headForgotten
    case incarnationBegun, operationLost
    case journalPruned
}

/// Bounds of the journal; listed in Protocols/limits.md.
package enum JournalLimits {
    /// No 13 months have more days than 397.
    package static let keptMilliseconds: Int64 = 397 * 86_400_000
    /// Of one text of an entry, in UTF-8; the rest is cut off.
    package static let textBytesMax = 512
    /// Entries of one action that strangers can cause; the others of that minute are counted in one.
    package static let entriesPerMinuteMax = 60
    /// Between two anchors, while there is news.
    package static let anchorMilliseconds: Int64 = 86_400_000
}

/// Who did something, and from where.
package struct JournalActor: Sendable, Hashable {
    package var name: String
    /// A peer's address, `admin socket uid N`, `folder uid N`, `console ADDRESS`, `node`.
    package var origin: String

    package init(name: String, origin: String) {
        self.name = name
        self.origin = origin
    }

    /// The node by itself.
    package static let node = JournalActor(name: "node", origin: "node")
}

/// An entry before it has its place. Nothing personal of a customer belongs into it.
package struct JournalDraft: Sendable, Hashable {
    package var actor: JournalActor
    package var action: JournalAction
    /// What it was done to: a site, an account, a ticket's id.
    package var subject: String
    /// `name=value` pairs, separated by blanks; reasons come last.
    package var detail: String

    package init(_ action: JournalAction, by actor: JournalActor, on subject: String = "", _ detail: String = "") {
        self.actor = actor
        self.action = action
        self.subject = subject
        self.detail = detail
    }
}

package struct JournalEntry: Sendable, Hashable {
    package var sequence: UInt64
    /// UTC milliseconds by the node's clock.
    package var time: Int64
    package var actor: String
    package var origin: String
    package var action: String
    package var subject: String
    package var detail: String
    package var hash: ContentHash

    package init(
        sequence: UInt64, time: Int64, actor: String, origin: String, action: String, subject: String, detail: String,
        hash: ContentHash = .zero
    ) {
        self.sequence = sequence
        self.time = time
        self.actor = actor
        self.origin = origin
        self.action = action
        self.subject = subject
        self.detail = detail
        self.hash = hash
    }

    /// The hash that belongs to these contents behind that one. Source: Protocols/audit.md §2.
    package func chained(to previous: ContentHash) -> ContentHash {
        var bytes = previous.bytes
        bytes.append(1)
        append(sequence, to: &bytes)
        append(UInt64(bitPattern: time), to: &bytes)
        for text in [actor, origin, action, subject, detail] {
            let length = UInt32(text.utf8.count)
            for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: length >> UInt32(shift))) }
            bytes += text.utf8
        }
        var hasher = ContentHasher()
        return hasher.hash(bytes)
    }

    private func append(_ value: UInt64, to bytes: inout [UInt8]) {
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
        }
    }
}

/// The end of a chain.
package struct JournalEnd: Sendable, Hashable {
    package var sequence: UInt64
    package var hash: ContentHash
    /// Of the last entry.
    package var time: Int64

    package static let empty = JournalEnd(sequence: 0, hash: .zero, time: 0)
}

// MARK: Writing

/// What `StoreWriter.recording` waits for.
struct Recorder {
    let now: Int64
    /// Nil for a result of another type.
    let drafts: (Any) -> [JournalDraft]?
}

extension StoreWriter {
    /// Writes entries in a transaction of their own.
    package func journal(_ drafts: [JournalDraft], now: Int64) throws {
        try write { db in try Journal.append(drafts, now: now, db) }
    }

    /// What `body` changes, and the entries that tell of it, are one transaction: neither is there without the other.
    /// - Parameter body: makes one transaction, or several of which the one with this result is told of.
    /// - Parameter drafts: of what came of it; none where nothing was changed.
    package func recording<Value>(
        now: Int64, _ drafts: @escaping (Value) -> [JournalDraft], _ body: (StoreWriter) throws -> Value
    ) throws -> Value {
        precondition(recorder == nil, "one recording at a time")
        recorder = Recorder(now: now) { ($0 as? Value).map(drafts) }
        defer { recorder = nil }
        let value = try body(self)
        if recorder != nil {
            recorder = nil
            let rest = drafts(value)
            if !rest.isEmpty { try journal(rest, now: now) }
        }
        return value
    }

    /// Called inside each transaction, before its commit.
    func record(_ value: Any, _ db: Database) throws {
        // A transaction that has done nothing, such as one that only catches up, leaves the recorder to the next.
        guard let recorder, let drafts = recorder.drafts(value), !drafts.isEmpty else { return }
        try Journal.append(drafts, now: recorder.now, db)
        // If the commit fails, whoever records throws.
        self.recorder = nil
    }

    /// Takes away what is older than it is kept for; an entry says how many those were and with which hash they ended.
    /// - Returns: how many.
    package func pruneJournal(now: Int64, keeping milliseconds: Int64 = JournalLimits.keptMilliseconds) throws -> Int {
        try write { db in
            // Only from the beginning: after a step of the clock an old time may stand between newer ones.
            let limit =
                try Int64.fetchOne(
                    db, sql: "SELECT min(sequence) FROM journal WHERE time >= ?", arguments: [now - milliseconds])
                ?? .max
            guard
                let row = try Row.fetchOne(
                    db, sql: "SELECT count(*) AS n, max(sequence) AS last FROM journal WHERE sequence < ?",
                    arguments: [limit]), let last = row["last"] as Int64?
            else { return 0 }
            let count: Int = row["n"]
            let hash = try Data.fetchOne(
                db, sql: "SELECT hash FROM journal WHERE sequence = ?", arguments: [last])
            // First the entry, so that the chain goes on even where everything is old.
            let pruning = JournalPruning(
                count: count, last: UInt64(last), hash: hash.flatMap { ContentHash($0) } ?? .zero)
            try Journal.append(
                [JournalDraft(.journalPruned, by: .node, on: "\(last)", pruning.detail)], now: now, db)
            try db.execute(sql: "DELETE FROM journal WHERE sequence <= ?", arguments: [last])
            return count
        }
    }
}

/// What the entry of a pruning says.
struct JournalPruning {
    var count: Int
    var last: UInt64
    var hash: ContentHash

    init(count: Int, last: UInt64, hash: ContentHash) {
        self.count = count
        self.last = last
        self.hash = hash
    }

    var detail: String { "count=\(count) hash=\(hash)" }

    init?(_ entry: JournalEntry) {
        let parts = entry.detail.split(separator: " ")
        guard entry.action == JournalAction.journalPruned.rawValue, let last = UInt64(entry.subject), parts.count == 2,
            parts[0].hasPrefix("count="), let count = Int(parts[0].dropFirst(6)), parts[1].hasPrefix("hash="),
            let hash = ContentHash(hexadecimal: String(parts[1].dropFirst(5)))
        else { return nil }
        self.init(count: count, last: last, hash: hash)
    }
}

// MARK: Rows

enum Journal {
    static let columns = "sequence, time, actor, origin, action, subject, detail, hash"

    static func append(_ drafts: [JournalDraft], now: Int64, _ db: Database) throws {
        guard !drafts.isEmpty else { return }
        var end = try end(db)
        let insert = try BoundStatement(
            db, "INSERT INTO journal (\(columns)) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
        for draft in drafts {
            var entry = JournalEntry(
                sequence: end.sequence + 1, time: now, actor: clipped(draft.actor.name),
                origin: clipped(draft.actor.origin), action: draft.action.rawValue, subject: clipped(draft.subject),
                detail: clipped(draft.detail))
            entry.hash = entry.chained(to: end.hash)
            insert.bind(1, entry.sequence)
            insert.bind(2, entry.time)
            for (index, text) in [entry.actor, entry.origin, entry.action, entry.subject, entry.detail].enumerated() {
                insert.bind(Int32(index + 3), text)
            }
            insert.bind(8, entry.hash.bytes)
            try insert.run()
            end = JournalEnd(sequence: entry.sequence, hash: entry.hash, time: now)
        }
    }

    static func end(_ db: Database) throws -> JournalEnd {
        let rows = try BoundStatement(db, "SELECT \(columns) FROM journal ORDER BY sequence DESC LIMIT 1")
        guard try rows.step() else { return .empty }
        defer { rows.reset() }
        let entry = read(rows)
        return JournalEnd(sequence: entry.sequence, hash: entry.hash, time: entry.time)
    }

    static func read(_ rows: BoundStatement) -> JournalEntry {
        JournalEntry(
            sequence: rows.unsigned(0), time: rows.integer(1), actor: rows.text(2), origin: rows.text(3),
            action: rows.text(4), subject: rows.text(5), detail: rows.text(6), hash: ContentHash(rows.blob(7)) ?? .zero)
    }

    /// At most so many bytes, without control characters: what is claimed by a stranger is in it too.
    static func clipped(_ text: String) -> String {
        var result = ""
        var bytes = 0
        for scalar in text.unicodeScalars where scalar.properties.generalCategory != .control {
            bytes += UTF8.width(scalar)
            if bytes > JournalLimits.textBytesMax { break }
            result.unicodeScalars.append(scalar)
        }
        return result
    }
}

extension StoreWriter {
    static let notedIncarnation = "journal_incarnation"

    /// Says once of each incarnation where the journal goes on under it. Anchors of the one before it, of entries that lie
    /// behind, speak of what a restored backup does not have.
    /// - Returns: how many operations were lost where it began; 0 if that has been said.
    package func noteIncarnation(now: Int64) throws -> Int {
        let replica = "\(reader.identity.replica)"
        guard try reader.read({ try Meta.text(Self.notedIncarnation, $0) }) != replica else { return 0 }
        let record = try reader.incarnation()
        var detail = "site=\(reader.identity.site)"
        if let follows = record.follows { detail += " follows=\(follows)" }
        if let reason = record.reason { detail += " reason=\(reason.rawValue)" }
        try write { db in
            try Journal.append(
                [JournalDraft(.incarnationBegun, by: .node, on: replica, detail)], now: now, db)
            try Meta.set(Self.notedIncarnation, replica, db)
        }
        return record.lostCount
    }
}

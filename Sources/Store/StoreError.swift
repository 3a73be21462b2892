package import Replication

/// What can go wrong in the store, with what an operator needs to go on.
package enum StoreError: Error, CustomStringConvertible {
    /// Another process owns the data folder.
    case folderInUse(path: String, owner: String)
    case notInitialised(path: String)
    case alreadyInitialised(path: String)
    /// The same dot has come with other bytes: one of the two was forged, or a history forked.
    case conflictingHistory(dot: Dot, stored: ContentHash, received: ContentHash)
    /// A row's bytes do not match its hash any more.
    case corruptRow(arrival: Int64, dot: Dot)
    /// Pages of the database do not hang together.
    case damagedFile(path: String, fault: String)
    case corruptState(entity: EntityID, reason: String)
    /// A batch of the same session failed before this one.
    case afterFailure
    /// No row for that peer: it was forgotten while its session ran.
    case unknownPeer(PeerID)
    /// An operation was about to go to a child that takes no part in its ticket.
    case outOfScope(dot: Dot, child: SiteCode)
    /// So much of what the nodes of a site have brought waits for somebody to justify it that no more is taken.
    case tooMuchParked(SiteCode?, operations: Int, bytes: Int)
    case newerSchema(path: String, found: Int, known: Int)
    /// A backup that does not hold what it says; what is wrong with it.
    case damagedBackup(path: String, findings: [String])
    case backupOfOtherSite(path: String, found: String, expected: SiteCode)
    case file(path: String, operation: String, reason: String)
    /// Nothing new is written.
    case diskAlmostFull(path: String, freePercentMin: Double)

    package var description: String {
        switch self {
        case .folderInUse(let path, let owner):
            "\(path) is in use by \(owner): talk to that process, or stop it first"
        case .notInitialised(let path):
            "\(path) holds no node: run `banjie init` there first"
        case .alreadyInitialised(let path):
            "\(path) holds a node already: choose another folder, or remove that one after a backup"
        case .conflictingHistory(let dot, let stored, let received):
            "operation \(dot) is stored with hash \(stored) and came with \(received): nothing of that batch was applied"
        case .corruptRow(let arrival, let dot):
            "row \(arrival) (operation \(dot)) does not match its hash: run `banjie doctor`"
        case .damagedFile(let path, let fault):
            "\(path) is damaged (\(fault)): put a sound backup back with `banjie backup restore`"
        case .corruptState(let entity, let reason):
            "the projection of \(entity) cannot be read (\(reason)): run `banjie rebuild`"
        case .afterFailure: "a batch of the same session failed before: the session starts again"
        case .unknownPeer(let id):
            "peer \(id) is not known any more: its session starts again"
        case .outOfScope(let dot, let child):
            "operation \(dot) stands in the feed of \(child), which takes no part in it: nothing was sent; run `banjie rebuild`"
        case .tooMuchParked(let site, let operations, let bytes):
            "\(site.map(String.init) ?? "an unknown site") has \(operations) operations or \(bytes) bytes parked here and nothing more of it is taken: `banjie parked list` says why, then `banjie parked release` or `banjie parked void`"
        case .newerSchema(let path, let found, let known):
            "\(path) has schema \(found), this program knows \(known): use the newer program"
        case .damagedBackup(let path, let findings):
            "\(path) is damaged (\(findings.first ?? "unknown")): take another one, `banjie backup list` shows them"
        case .backupOfOtherSite(let path, let found, let expected):
            "\(path) is a backup of \(found), this folder belongs to \(expected): take one of \(expected)"
        case .file(let path, let operation, let reason):
            "\(path): \(operation) failed: \(reason)"
        case .diskAlmostFull(let path, let freePercentMin):
            "less than \(freePercentMin) % of the disk of \(path) is free, nothing new is written: make room"
        }
    }
}

package import Logging
internal import Replication
package import Store
internal import Transport

/// Puts a backup back into the folder of a node that does not run. Keys, certificates, `node.yaml` and the catalog stay:
/// they are the folder's and not the backup's.
package enum Restoration {
    /// - Parameter isForced: also takes a backup in which something is damaged.
    /// - Throws: `StoreError`: `.folderInUse` naming the node that runs, `.notInitialised` for a folder without keys and
    ///   without a database, and what `Store.restore` throws.
    package static func run(
        folder: DataFolder, path: String, isForced: Bool, progress: ProgressReporter, logger: Logger
    ) throws -> RestoreReport {
        let site = (try? KeyFolder(folder).certificate())?.nodeURI.flatMap { SiteCode($0.host) }
        guard site != nil || folder.isInitialised else { throw StoreError.notInitialised(path: folder.path) }
        let restored = try Store.restore(
            folder, from: path, site: site, isForced: isForced,
            stamp: CivilTime(milliseconds: NodeClock.system()).stamp + "Z"
        ) { progress.update($0, of: $1) }
        progress.finish()
        var report = RestoreReport(
            folder: folder.path, backup: BackupReport(path: path, restored.content), kept: restored.kept)
        // Opening begins the new incarnation. Where that fails, for want of a certificate say, it begins at the start.
        if let node = try? SyncNode.open(folder: folder, logger: logger) {
            report.replica = "\(node.identity.replica)"
            report.follows = node.identity.follows.map { "\($0)" }
        }
        return report
    }
}

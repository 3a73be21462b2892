internal import Store

extension BackupReport {
    /// Reads a backup from end to end.
    /// - Throws: `StoreError.file` if it cannot be opened.
    package static func verify(_ path: String, progress: ProgressReporter) throws -> BackupReport {
        let content = try BackupContent.read(path) { progress.update($0, of: $1) }
        progress.finish()
        return BackupReport(
            path: path, site: content.site, replica: "\(content.replica)", operations: content.operations,
            tickets: content.tickets, digest: "\(content.digest)", findings: content.findings)
    }
}

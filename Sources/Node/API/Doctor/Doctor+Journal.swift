internal import Replication
internal import Store
internal import Tickets

// Whether the journal is what was written.
extension Doctor {
    func journal() async throws -> [Finding] {
        let now = now
        let report = JournalReport(try await StoreAccess().run { try reader.checkJournal(now: now) })
        return report.findings.map { found in
            let description = JournalTexts.describe(found)
            return finding(
                .journalChanged, about: "\(found.from)–\(found.to)", description,
                next: Phrase(
                    "有人改动了本节点的数据库：封存该机器与备份，请上级核对，运行 banjie audit verify。",
                    "Somebody has had a hand in this node's database: keep machine and backups as they are, tell the node above, and run `banjie audit verify`."
                ))
        }
    }
}

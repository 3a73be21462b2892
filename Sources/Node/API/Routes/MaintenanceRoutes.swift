internal import HTTPTypes
internal import Hummingbird
internal import Replication
internal import Store
internal import Tickets

extension APIServices {
    func addMaintenanceRoutes(to routes: Routes) {
        routes.get("doctor") { request, _ in
            try reply(await Doctor(services: self, language: language(request)).report())
        }
        routes.post("jobs/rebuild") { request, _ in
            try reply(try jobs.start("rebuild", language: language(request), rebuild), status: .accepted)
        }
        routes.post("jobs/backup") { request, context in
            let wish = try decode(BackupRequest.self, try await body(of: request, context))
            let path = wish.path ?? standardBackupPath
            guard path.hasPrefix("/") else { throw APIFailure.malformed(field: "path", expected: "/…") }
            let actor = context.actor
            let job = try jobs.start("backup", language: language(request)) { progress in
                let now = node.clock.now()
                // A thread of its own: other readers do not wait for it.
                let content = try await StoreAccess().run {
                    try reader.backup(to: path, now: now, progress: progress)
                }
                try await node.recording { (_: Void) in
                    [JournalDraft(.backupMade, by: actor, on: path, "operations=\(content.operations)")]
                } _: {
                    try $0.setFact(BackupReport.lastMadeFact, "\(now)")
                }
                return BackupReport(path: path, content).facts
            }
            return try reply(job, status: .accepted)
        }
        routes.post("jobs/scrub") { request, _ in
            try reply(try jobs.start("scrub", language: language(request), scrub), status: .accepted)
        }
        routes.get("damaged") { _, _ in
            let damaged = try await read { try reader.damaged() }
            return try reply(DamageList(damaged: damaged.map(DamageEntry.init)))
        }
        routes.get("jobs/:job") { _, context in
            let id = try parameter("job", context)
            guard let job = jobs.job(id) else { throw APIFailure.noSuchJob(id) }
            return try reply(job)
        }
    }

    private func rebuild(_ progress: @escaping @Sendable (Int, Int) -> Void) async throws -> [String: String] {
        let now = node.clock.now()
        let count = try await node.administer { try $0.rebuild(now: now, progress: progress) }
        while try await StoreAccess().run({ try reader.search.advance() }) > 0 {}
        return ["operations": "\(count)"]
    }

    private func scrub(_ progress: @escaping @Sendable (Int, Int) -> Void) async throws -> [String: String] {
        let findings = try await Scrubber(node: node, logger: node.logger).pass(progress: progress)
        return [
            "operations": "\(findings.operationCount)", "entities": "\(findings.entityCount)",
            "cured": findings.cured.map { "\($0)" }.joined(separator: " "),
            "waiting": findings.waiting.map { "\($0)" }.joined(separator: " "),
        ]
    }

    private var standardBackupPath: String {
        "\(reader.folder.backups)/\(node.identity.site)-\(CivilTime(milliseconds: node.clock.now()).stamp)Z.db"
    }
}

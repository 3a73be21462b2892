internal import Replication
internal import Store
internal import Tickets

/// Looks a node over. Every finding has a stable code and says what to do next.
///
/// A check is a name and a function; to add one, write the function in the file of its subject and a row in `checks`.
struct Doctor: Sendable {
    typealias Finding = DoctorReport.Finding

    struct Check: Sendable {
        let name: String
        let look: @Sendable (Doctor) async throws -> [Finding]
    }

    /// In the order in which they are run and shown.
    static let checks = [
        Check(name: "clock") { try await $0.clock() },
        Check(name: "certificates") { $0.certificates() },
        Check(name: "revocations") { try await $0.revocations() },
        Check(name: "database") { try await $0.database() },
        Check(name: "projection") { try await $0.projection() },
        Check(name: "log") { try await $0.log() },
        Check(name: "search") { try await $0.search() },
        Check(name: "feeds") { try await $0.feeds() },
        Check(name: "incarnation") { try await $0.incarnation() },
        Check(name: "peers") { try await $0.peers() },
        Check(name: "heads") { try await $0.heads() },
        Check(name: "journal") { try await $0.journal() },
        Check(name: "parked") { try await $0.parked() },
        Check(name: "disk") { $0.disk() },
        Check(name: "backups") { try await $0.backups() },
    ]

    let services: APIServices
    let language: Language

    func report() async -> DoctorReport {
        var findings: [Finding] = []
        for check in Self.checks {
            do {
                for var finding in try await check.look(self) {
                    finding.check = check.name
                    findings.append(finding)
                }
            } catch {
                var failed = finding(
                    .checkFailed, Phrase("检查未能完成：\(error)", "This could not be checked: \(error)"),
                    next: Phrase(
                        "若数据库无法读取，停止节点并恢复最近的备份（banjie backup list）。",
                        "If the database cannot be read, stop the node and restore the latest backup (`banjie backup list`)."
                    ))
                failed.check = check.name
                findings.append(failed)
            }
        }
        return DoctorReport(
            site: services.node.identity.site.rawValue, now: Instant(services.node.clock.now()),
            checks: Self.checks.map(\.name), findings: findings)
    }

    /// - Parameter subject: the peer, file or entity that it is about.
    func finding(_ code: FindingCode, about subject: String? = nil, _ message: Phrase, next: Phrase) -> Finding {
        Finding(check: "", code: code, subject: subject, message: message(language), next: next(language))
    }

    var reader: StoreReader { services.reader }
    var now: Int64 { services.node.clock.now() }
}

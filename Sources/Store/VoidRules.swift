internal import GRDB
package import Replication
internal import Tickets

/// Of one replica: up to where its operations count. Source: Protocols/operations.md §10.
package struct VoidRule: Hashable, Sendable {
    /// The last operation that counts; 0: none does.
    package var lastSequence: UInt64
    /// Its hash; another operation at its place does not count either.
    package var lastHash: ContentHash

    package func voids(_ sequence: UInt64, _ hash: ContentHash) -> Bool {
        sequence > lastSequence || (sequence == lastSequence && hash != lastHash)
    }
}

/// Which operations do not count: a function of the operations that revoke, and of the sites that replicas have announced.
package struct VoidRules: Hashable, Sendable {
    private var rules: [ReplicaID: Set<VoidRule>] = [:]

    package init() {}

    package var isEmpty: Bool { rules.isEmpty }

    package func of(_ replica: ReplicaID) -> Set<VoidRule> { rules[replica] ?? [] }

    package func isVoid(_ dot: Dot, _ hash: ContentHash) -> Bool {
        guard let rules = rules[dot.replica] else { return false }
        return rules.contains { $0.voids(dot.sequence, hash) }
    }

    mutating func add(_ rule: VoidRule, to replica: ReplicaID) {
        rules[replica, default: []].insert(rule)
    }
}

/// An operation of the log that revokes a replica.
struct StatedRevocation {
    let arrival: Int64
    let dot: Dot
    let hash: ContentHash
    let author: Author
    let time: HybridTimestamp
    let body: RevokeBody

    /// - Parameter rows: selects `OperationRow.columns`.
    init?(_ stored: StoredOperation) {
        guard stored.operation.kind == Kind.revoke.operationKind,
            case .revoke(let body)? = try? Body(decoding: stored.operation),
            stored.operation.entity == EntityID(announcementOf: body.replica)
        else { return nil }
        arrival = stored.arrival
        dot = stored.operation.dot
        hash = stored.hash
        author = stored.operation.author
        time = stored.operation.time
        self.body = body
    }

    static func all(_ db: Database) throws -> [StatedRevocation] {
        let rows = try BoundStatement(
            db,
            """
            SELECT \(OperationRow.columns) FROM revocation r JOIN operation o ON o.arrival = r.arrival
            ORDER BY r.arrival
            """)
        let table = try InternTable(db)
        var result: [StatedRevocation] = []
        while try rows.step() {
            // One that is damaged says nothing until it is healed.
            guard let stored = try OperationRow.readable(rows, table), let stated = StatedRevocation(stored) else {
                continue
            }
            result.append(stated)
        }
        return result
    }

    /// Those that are in force, and what follows from them. A revocation is void itself if its author's replica was
    /// revoked before it; who may do that stands above, so going down the tree decides each once.
    /// - Parameter announced: the site that a replica has announced; nil while that is not known.
    static func judge(
        _ stated: [StatedRevocation], announced: (ReplicaID) -> SiteCode?
    ) -> (inForce: [StatedRevocation], rules: VoidRules) {
        var rules = VoidRules()
        var inForce: [StatedRevocation] = []
        for revocation in stated.sorted(by: { ($0.author.site.depth, $0.dot) < ($1.author.site.depth, $1.dot) }) {
            let body = revocation.body
            guard announced(body.replica) == body.site, body.site.isStrictlyBelow(revocation.author.site),
                !rules.isVoid(revocation.dot, revocation.hash)
            else { continue }
            rules.add(VoidRule(lastSequence: body.lastSequence, lastHash: body.lastHash), to: body.replica)
            inForce.append(revocation)
        }
        return (inForce, rules)
    }
}

extension SiteCode {
    package func isStrictlyBelow(_ other: SiteCode) -> Bool { self != other && isWithin(other) }
}

extension VoidRules {
    /// As they were last written.
    static func read(_ db: Database) throws -> VoidRules {
        let rows = try BoundStatement(
            db, "SELECT r.replica, v.last, v.hash FROM void v JOIN replica r ON r.id = v.replica")
        var result = VoidRules()
        while try rows.step() {
            result.add(
                VoidRule(lastSequence: rows.unsigned(1), lastHash: ContentHash(rows.blob(2)) ?? .zero),
                to: ReplicaID(rows.unsigned(0)))
        }
        return result
    }

    /// SQL that holds for an operation that does not count.
    /// - Parameter operation: name of the table's row.
    static func condition(_ operation: String) -> String {
        """
        EXISTS (SELECT 1 FROM void v WHERE v.replica = \(operation).replica AND (\(operation).sequence > v.last
            OR (\(operation).sequence = v.last AND \(operation).hash <> v.hash)))
        """
    }
}

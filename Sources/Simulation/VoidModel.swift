internal import Replication
internal import Store
internal import Tickets

/// Which operations of a log do not count, worked out a second time. Source: Protocols/operations.md §10.
struct VoidModel {
    private struct Rule {
        var last: UInt64
        var hash: ContentHash
    }

    private let hashes: [Dot: ContentHash]
    private var rules: [ReplicaID: [Rule]] = [:]

    /// From the top down: who is above decides first whether a revocation counts.
    init(_ log: LogModel) {
        hashes = log.hashes
        let byDepth = Dictionary(grouping: log.revocations) { $0.operation.author.site.depth }
        for depth in byDepth.keys.sorted() {
            var found: [(ReplicaID, Rule)] = []
            for revocation in byDepth[depth] ?? [] where !contains(revocation.operation.dot) {
                guard case .revoke(let body)? = try? Body(decoding: revocation.operation),
                    let site = log.announced[body.replica], site == body.site,
                    site.depth > depth, site.isWithin(revocation.operation.author.site)
                else { continue }
                found.append((body.replica, Rule(last: body.lastSequence, hash: body.lastHash)))
            }
            for (replica, rule) in found { rules[replica, default: []].append(rule) }
        }
    }

    func contains(_ dot: Dot) -> Bool {
        (rules[dot.replica] ?? []).contains { rule in
            dot.sequence > rule.last || (dot.sequence == rule.last && hashes[dot] != rule.hash)
        }
    }
}

extension LogModel {
    /// A node that has this log speaks to the incarnation no more.
    func revokes(_ replica: ReplicaID) -> Bool {
        guard !revocations.isEmpty else { return false }
        let void = VoidModel(self)
        return revocations.contains { revocation in
            guard case .revoke(let body)? = try? Body(decoding: revocation.operation) else { return false }
            return body.replica == replica && !void.contains(revocation.operation.dot)
        }
    }
}

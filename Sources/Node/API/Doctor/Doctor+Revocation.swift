internal import Replication
internal import Store
internal import Tickets

// Revocations that somebody has to act on.
extension Doctor {
    func revocations() async throws -> [Finding] {
        try await services.read { try reader.revocations() }.filter(\.isInForce).flatMap { record in
            [own(record), differing(record)].compactMap { $0 }
        }
    }

    private func own(_ record: RevocationRecord) -> Finding? {
        guard record.body.replica == services.node.identity.replica else { return nil }
        return finding(
            .nodeRevoked, about: "\(record.body.replica)",
            Phrase(
                "本节点已被 \(record.author.site) 吊销（\(record.body.reason)）：第 \(record.body.lastSequence) 条之后的操作处处无效",
                "This node has been revoked by \(record.author.site) (\(record.body.reason)): what it wrote beyond operation \(record.body.lastSequence) counts nowhere"
            ),
            next: Phrase(
                "向上级索取新令牌，在新目录中重新入网。", "Ask the parent for a token and enrol anew in another folder."))
    }

    private func differing(_ record: RevocationRecord) -> Finding? {
        guard record.differs else { return nil }
        let dot = "\(record.body.replica):\(record.body.lastSequence)"
        return finding(
            .revocationDiffers, about: dot,
            Phrase(
                "已吊销的副本有两段历史：本节点的 \(dot) 不是吊销所指的那条",
                "A revoked replica has two histories: \(dot) is not the operation here that its revocation names"),
            next: Phrase(
                "运行 banjie sync verify，把结果告诉吊销者（banjie peers revocations）。",
                "Run `banjie sync verify`, and tell who revoked it (`banjie peers revocations`) what it finds."))
    }
}

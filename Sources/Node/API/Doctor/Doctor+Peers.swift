internal import Replication
internal import Store

// Who this node speaks to, and what came from them.
extension Doctor {
    func peers() async throws -> [Finding] {
        try await services.peers().flatMap { peer in
            [connection(peer), pause(peer), offset(peer), audit(peer)].compactMap { $0 }
        }
    }

    private func connection(_ peer: PeerStatus) -> Finding? {
        guard !peer.isConnected, !peer.isElsewhere, !peer.isPaused else { return nil }
        let reason = peer.lastFailure.map { ": \($0)" } ?? ""
        let since = peer.since ?? peer.lastContact
        let revoked = services.node.revocations.peers
        if let node = peer.node.flatMap({ UInt64($0, radix: 16) }), revoked.includes(ReplicaID(node)) {
            return finding(
                .peerDisconnected, about: peer.site,
                Phrase("\(peer.site) 的副本已吊销，不再连接", "The replica of \(peer.site) is revoked and is not let in any more"),
                next: Phrase(
                    "不再需要时运行 banjie sync forget \(peer.site)；该办公点凭新令牌重新入网。",
                    "Run `banjie sync forget \(peer.site)` when it is not needed any more; the office joins anew with a new token."
                ))
        }
        if services.runtime != nil {
            return finding(
                .peerDisconnected, about: peer.site,
                Phrase(
                    "与 \(peer.site) 未连接（自 \(since?.text ?? "从未")）\(reason)",
                    "\(peer.site) is not connected (since \(since?.text ?? "ever"))\(reason)"),
                next: Phrase(
                    "检查线路和对端，再运行 banjie sync now \(peer.site)。",
                    "Check the line and the other node, then run `banjie sync now \(peer.site)`."))
        }
        guard let last = peer.lastContact, now - last.milliseconds > Alarms.peerSilentMillisecondsMax else {
            return nil
        }
        return finding(
            .peerSilent, about: peer.site,
            Phrase("\(peer.site) 自 \(last.text) 起没有联系", "Nothing was heard of \(peer.site) since \(last.text)"),
            next: Phrase("运行 banjie run，让节点同步。", "Start the node with `banjie run`, so that it syncs."))
    }

    private func pause(_ peer: PeerStatus) -> Finding? {
        guard peer.isPaused else { return nil }
        return finding(
            .peerPaused, about: peer.site, Phrase("与 \(peer.site) 的同步已暂停", "Sync with \(peer.site) is paused"),
            next: Phrase("运行 banjie sync resume \(peer.site)。", "Run `banjie sync resume \(peer.site)`."))
    }

    private func offset(_ peer: PeerStatus) -> Finding? {
        guard let offset = peer.clockOffsetMilliseconds, abs(offset) > Alarms.clockOffsetMillisecondsMax else {
            return nil
        }
        return finding(
            .clockOffset, about: peer.site,
            Phrase(
                "与 \(peer.site) 的时钟相差 \(offset) 毫秒", "The clock differs by \(offset) ms from that of \(peer.site)"),
            next: Phrase("在偏差的一端启用 NTP。", "Turn NTP on at the side that is off."))
    }

    private func audit(_ peer: PeerStatus) -> Finding? {
        guard let left = peer.audit?.unresolved, left > 0 else { return nil }
        return finding(
            .storesDiffer, about: peer.site,
            Phrase(
                "与 \(peer.site) 两次核对后仍有 \(left) 条操作不一致",
                "\(left) operations still differ from \(peer.site) after two audits"),
            next: Phrase(
                "运行 banjie sync verify \(peer.site)，再用 banjie sync explain 查看相关工单；暂存的操作见 banjie parked list。",
                "Run `banjie sync verify \(peer.site)`, look at the tickets with `banjie sync explain`, and at what is parked with `banjie parked list`."
            ))
    }

    func parked() async throws -> [Finding] {
        let parked = try await services.read { try reader.parked() }
        guard let first = parked.first else { return [] }
        return [
            finding(
                .operationsParked, about: "\(first.dot)",
                Phrase(
                    "\(parked.count) 条操作暂存待证（首条 \(first.dot)，来自 \(first.source)：\(first.reason)）",
                    "\(parked.count) operations are parked (first \(first.dot) from \(first.source): \(first.reason))"),
                next: Phrase(
                    "让来源办公点完成同步。若是本节点恢复之前的操作：用 banjie parked list 查看，用 banjie parked release 采纳。",
                    "Let the office they come from finish its sync. If they are this node's own from before a restore: look with `banjie parked list`, take them with `banjie parked release`."
                ))
        ]
    }
}

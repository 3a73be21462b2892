import ArgumentParser
import Foundation
import Node

struct SyncVerify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: say(
            "与对端逐段核对，只计数；不一致时退出码为 2", "Compare with the peers, counting only; exit code 2 if they differ"),
        discussion: examples("banjie sync verify", "banjie sync verify hz.zj"))

    @OptionGroup var target: PeerTarget

    func run() async throws { try await target.audit("verify") }
}

struct SyncRepair: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: say(
            "核对并补齐双方缺少的操作；仍不一致时退出码为 2",
            "Compare, and move what one of the two lacks; exit code 2 if something is left"),
        discussion: examples("banjie sync repair", "banjie sync repair zj"))

    @OptionGroup var target: PeerTarget

    func run() async throws { try await target.audit("repair") }
}

extension PeerTarget {
    func audit(_ command: String) async throws {
        try await Session.withNode(options) { session, client in
            let report: AuditReport = try await client.post("/api/v1/sync/\(command)", PeerRequest(peer: peer))
            try session.show(report) { $0.text(session.presentation) }
            return report.isDegraded ? .degraded : .success
        }
    }
}

struct SyncExplain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: say(
            "工单的每条操作在哪里、谁缺哪条、为什么", "Where each operation of a ticket is, who lacks what and why"),
        discussion: examples("banjie sync explain XIHU-261121-7KQ2-F"))

    @Argument(help: hint("单号或工单标识", "Number or id of the ticket"))
    var ticket: String

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let report: WhereaboutsReport = try await client.get(
                "/api/v1/tickets/\(APIPath.escape(ticket))/whereabouts")
            try session.show(report) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct SyncForget: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract: say(
            "移除不会再来的对端节点及其待发队列", "Forget a node that will not come back, and its feed"),
        discussion: examples("banjie sync forget xihu.hz.zj", "banjie sync forget xihu.hz.zj --node 1f0c…"))

    @Argument(help: hint("对端代码", "Site code of the peer"))
    var peer: String

    @Option(help: hint("同一办公点有多个节点时，指定其副本标识", "Which of a site's nodes, by its replica"))
    var node: String?

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let status: SyncStatus = try await client.post(
                "/api/v1/sync/forget", ForgetRequest(peer: peer, node: node))
            try session.show(status) { $0.text(session.presentation) }
            return .success
        }
    }
}

import ArgumentParser
import Foundation
import Node

struct PeerCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peers", abstract: say("下级办公点的副本与吊销", "Replicas of offices below, and their revocation"),
        subcommands: [PeersRevoke.self, PeersRevocations.self, PeersReplicas.self])
}

struct PeersRevoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: say(
            "吊销办公点：界限之后的操作处处无效，其证书不再可用",
            "Revoke an office: what it wrote beyond the last good operation is void everywhere, its certificates open nothing"
        ),
        discussion: examples(
            "banjie peers revoke xihu.hz.zj --reason \"laptop stolen\"",
            "banjie peers revoke xihu.hz.zj --node 1f0c2a7be09d4c11 --after 4180 --reason \"laptop stolen\" --yes"))

    @Argument(help: hint("办公点代码", "Code of the site"))
    var site: String

    @Option(help: hint("只吊销这个副本（及其证书）", "This replica and its certificate alone"))
    var node: String?

    @Option(
        help: hint(
            "最后一条有效操作的序号（默认本节点连续收到的最后一条）", "The last sequence that counts (default: what is here without a hole)"))
    var after: UInt64?

    @Option(help: hint("原因，随吊销送达每个节点", "Why; every node gets it with the revocation"))
    var reason: String

    @Flag(help: hint("不再询问", "Do not ask"))
    var yes = false

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            if !yes {
                let known: ReplicaList = try await client.get("/api/v1/peers/\(APIPath.escape(site))/replicas")
                try confirm(known, session)
            }
            let name = ProcessInfo.processInfo.environment["USER"]
            let list: RevocationList = try await client.post(
                "/api/v1/peers/revoke",
                RevocationRequest(site: site, replica: node, after: after, reason: reason, name: name))
            try session.show(list) { $0.text(session.presentation) }
            return .success
        }
    }

    private func confirm(_ known: ReplicaList, _ session: Session) throws {
        guard !options.json, isatty(STDIN_FILENO) == 1 else {
            throw ValidationError(
                say("吊销不能撤回；请用 --yes 确认", "a revocation cannot be taken back; confirm it with --yes"))
        }
        FileHandle.standardError.write(Data(known.text(session.presentation).utf8))
        FileHandle.standardError.write(
            Data(say("吊销不能撤回。输入办公点代码以继续：", "This cannot be taken back. Type the site's code to go on: ").utf8))
        guard readLine() == site else {
            throw ValidationError(say("未吊销：输入的代码不符", "nothing was revoked: that is not the site's code"))
        }
    }
}

struct PeersRevocations: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revocations", abstract: say("列出吊销", "What is revoked, by whom and why"),
        discussion: examples("banjie peers revocations"))

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let list: RevocationList = try await client.get("/api/v1/revocations")
            try session.show(list) { $0.text(session.presentation) }
            return list.revocations.contains(where: \.differs) ? .degraded : .success
        }
    }
}

struct PeersReplicas: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replicas", abstract: say("列出办公点的副本", "The replicas of a site that are known here"),
        discussion: examples("banjie peers replicas xihu.hz.zj"))

    @Argument(help: hint("办公点代码", "Code of the site"))
    var site: String

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let list: ReplicaList = try await client.get("/api/v1/peers/\(APIPath.escape(site))/replicas")
            try session.show(list) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct TokenListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: say("列出令牌：办公点、到期、使用情况", "Tokens: site, expiry, when and by whom they were used"),
        discussion: examples("banjie enrol token list"))

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let list: TokenList = try await client.get("/api/v1/enrolment/tokens")
            try session.show(list) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct TokenRevoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: say("作废未使用的令牌", "Make a token that was not used worthless"),
        discussion: examples("banjie enrol token revoke 0c11b2a9e4f0", "banjie enrol token revoke --site hz.zj"))

    @Argument(help: hint("令牌标识，见 list", "The token's id, as `list` gives it"))
    var id: String?

    @Option(help: hint("该办公点的全部令牌", "All open ones of this site"))
    var site: String?

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard id != nil || site != nil else {
            throw ValidationError(say("给出令牌标识，或 --site", "name a token, or --site"))
        }
    }

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let list: TokenList = try await client.post(
                "/api/v1/enrolment/tokens/revoke", TokenRevocation(id: id, site: site))
            try session.show(list) { $0.text(session.presentation) }
            return .success
        }
    }
}

import ArgumentParser
import Node

struct CustomerCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "customer", abstract: say("客户的个人信息", "Customers' personal data"),
        subcommands: [CustomerErase.self, CustomerErasures.self])
}

struct CustomerErase: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "erase",
        abstract: say("删除一位客户的个人信息：两位管理员，一位申请，一位确认", "Erase a customer: one admin proposes, another confirms"),
        subcommands: [CustomerErasePropose.self, CustomerEraseConfirm.self],
        defaultSubcommand: CustomerErasePropose.self)
}

struct CustomerErasePropose: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "propose", abstract: say("申请（默认）", "Propose it (the default)"),
        discussion: examples(
            "banjie customer erase --number 13800138000 --reason 客户要求 --as 李管 --role admin",
            "banjie customer erase --number - --as 李管 --role admin < number.txt",
            "banjie customer erase --ticket XIHU-261121-7KQ2-F --as 李管 --role admin"))

    @Option(help: hint("电话号码；- 从标准输入读取", "Telephone number; - for standard input"))
    var number: String?

    @Option(help: hint("密钥标识", "Id of a key"))
    var key: String?

    @Option(help: hint("单号或工单标识", "Number or id of a ticket of theirs"))
    var ticket: String?

    @Option(help: hint("理由", "Reason"))
    var reason: String?

    @OptionGroup var actor: ActorOptions
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard [number, key, ticket].count(where: { $0 != nil }) == 1 else {
            throw ValidationError(say("请用 --number、--key、--ticket 之一", "Give one of --number, --key and --ticket"))
        }
    }

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let request = ErasureRequest(number: number.map(readText), key: key, ticket: ticket, reason: reason)
            let report: ErasureReport = try await client.post(
                "/api/v1/customers/erasures", Enveloped(request, actor: actor.actor, seen: nil))
            try session.show(report) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct CustomerEraseConfirm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "confirm", abstract: say("确认（须为另一位管理员）", "Confirm a proposal, as another admin"),
        discussion: examples("banjie customer erase confirm 0102030405060708:42 --as 王管 --role admin"))

    @Argument(help: hint("申请标识", "Id of the proposal"))
    var proposal: String

    @OptionGroup var actor: ActorOptions
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let report: ErasureReport = try await client.post(
                "/api/v1/customers/erasures/\(APIPath.escape(proposal))/confirm",
                Enveloped(ErasureConfirmation(), actor: actor.actor, seen: nil))
            try session.show(report) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct CustomerErasures: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "erasures", abstract: say("列出删除申请", "List proposals to erase somebody"),
        discussion: examples("banjie customer erasures", "banjie customer erasures --json"))

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let list: ErasureList = try await client.get("/api/v1/customers/erasures")
            try session.show(list) { $0.text(session.presentation) }
            return .success
        }
    }
}

import ArgumentParser
import Node

struct TicketOpen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "open", abstract: say("建单", "Open a ticket"),
        discussion: examples(
            "banjie ticket open '上网慢' --category NETWORK.DATA --urgency high --customer 13800138000",
            "banjie ticket open '扣费争议' --text - --promised 2026-11-21T18:00 < call.txt"))

    @Argument(help: hint("标题", "Title"))
    var title: String

    @Option(help: hint("正文；- 从标准输入读取", "Text; - for standard input"))
    var text: String?

    @Option(help: hint("分类代码", "Category code"))
    var category: String?

    @Option(help: hint("urgent|high|middle|low", "urgent|high|middle|low"))
    var urgency: String?

    @Option(help: hint("客户的电话号码（加密保存，可删除）", "The customer's telephone number: sealed, and can be erased"))
    var customer: String?

    @Option(help: hint("来源渠道", "Channel it came in by"))
    var channel: String?

    @Option(help: hint("承诺时间", "Promised time"))
    var promised: TypedInstant?

    @Option(help: hint("首次联系时间", "First contact, where it was before now"))
    var firstContact: TypedInstant?

    @Option(name: .customLong("tag"), help: hint("标签，可重复", "Tag; may be repeated"))
    var tags: [String] = []

    @OptionGroup var actor: ActorOptions
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let request = OpenRequest(
                title: title, body: text.map(readText), category: category, urgency: urgency, customer: customer,
                channel: channel, promised: promised?.instant, firstContact: firstContact?.instant,
                tags: tags.isEmpty ? nil : tags)
            let receipt: TicketReceipt = try await client.post(
                "/api/v1/tickets", Enveloped(request, actor: actor.actor, seen: nil))
            try session.show(receipt) { $0.text(session.presentation) }
            return .success
        }
    }
}

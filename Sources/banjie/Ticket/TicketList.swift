import ArgumentParser
import Node

struct TicketList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: say("列出工单，新的在前", "List tickets, newest first"),
        discussion: examples(
            "banjie ticket list --status open,inProgress --holder-department NET", "banjie ticket list --text 彩信",
            "banjie ticket list --customer 13800138000", "banjie ticket list --attention"))

    @Option(
        help: hint(
            "状态 open|inProgress|replied|fedBack|closed，逗号分隔",
            "open|inProgress|replied|fedBack|closed, separated by commas"))
    var status: String?

    @Option(help: hint("持有办公点", "Site that holds it"))
    var holderSite: String?

    @Option(help: hint("持有部门", "Department that holds it"))
    var holderDepartment: String?

    @Option(help: hint("建单办公点", "Site that opened it"))
    var openedSite: String?

    @Option(help: hint("全文检索", "Words in its texts"))
    var text: String?

    @Option(help: hint("客户的电话号码", "A customer's telephone number"))
    var customer: String?

    @Flag(help: hint("只列有冲突或双派的", "Only those with conflicts or contested transfers"))
    var attention = false

    @Option(help: hint("每页张数", "Tickets on a page"))
    var limit: Int?

    @Option(help: hint("跳过张数", "Tickets to skip"))
    var offset: Int?

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let page: TicketPage = try await client.get(
                APIPath.query(
                    "/api/v1/tickets",
                    [
                        ("status", status), ("holderSite", holderSite), ("holderDepartment", holderDepartment),
                        ("openedSite", openedSite), ("text", text), ("customer", customer),
                        ("attention", attention ? "true" : nil),
                        ("limit", limit.map { "\($0)" }), ("offset", offset.map { "\($0)" }),
                    ]))
            try session.show(page) { $0.text(session.presentation) }
            return .success
        }
    }
}

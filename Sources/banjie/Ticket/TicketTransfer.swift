import ArgumentParser
import Node

struct TicketTransfer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transfer",
        abstract: say("派单、转派；--return 退单", "Dispatch it or pass it on; --return gives it back"),
        discussion: examples(
            "banjie ticket transfer XIHU-261121-7KQ2-F --to NET@hz.zj --note '请核查基站'",
            "banjie ticket transfer XIHU-261121-7KQ2-F --return --reason '不属本部门'"))

    @OptionGroup var target: TicketTarget

    @Option(help: hint("去向 部门[@办公点]", "Where to: DEPARTMENT[@SITE]"))
    var to: Place?

    @Flag(name: .customLong("return"), help: hint("退回上一环节，须写理由", "Back to the one before; needs a reason"))
    var isReturn = false

    @Option(help: hint("dispatch|onward（默认按所处环节）", "dispatch|onward (default: by where it stands)"))
    var variant: String?

    @Option(help: hint("理由", "Reason"))
    var reason: String?

    @Option(help: hint("给接收部门的话", "A word to those who get it"))
    var note: String?

    func validate() throws {
        guard isReturn != (to != nil) else {
            throw ValidationError(say("请给出 --to 或 --return 之一。", "Give either --to or --return."))
        }
    }

    func run() async throws {
        try await target.perform(
            "transfer",
            TransferRequest(
                site: to?.site, department: to?.department, variant: isReturn ? "returning" : variant, reason: reason,
                note: note))
    }
}

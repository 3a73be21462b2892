import ArgumentParser
import Node

struct TicketNote: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "note", abstract: say("备注", "Add a note"),
        discussion: examples("banjie ticket note XIHU-261121-7KQ2-F '已联系客户补充截图'"))

    @OptionGroup var target: TicketTarget

    @Argument(help: hint("内容；- 从标准输入读取", "Text; - for standard input"))
    var text: String

    func run() async throws {
        try await target.perform("note", NoteRequest(text: readText(text)))
    }
}

import Foundation
import Replication
import Store
import Testing
import Tickets

@testable import Node

@Suite struct TicketAPITests {
    private let service = #""actor":{"name":"wang","role":"dispatcher","department":"SVC"}"#
    private let network = #""actor":{"name":"li","department":"NET"}"#

    @Test("a ticket goes from its opening to its close over the API")
    func wholeFlow() async throws {
        let api = try await APINode()
        let opened = try await api.open()
        let path = "tickets/\(opened.ticket.id)"
        #expect(opened.ticket.status == "open")

        let page: TicketPage = try await api.answer("GET", "tickets?status=open&holderDepartment=SVC")
        #expect(page.items.map(\.id) == [opened.ticket.id])
        #expect(page.items.first?.verdict == "running")

        let moved: TicketReceipt = try await api.answer(
            "POST", path + "/transfer", "{\(service),\"department\":\"NET\"}")
        #expect(moved.ticket.holderDepartment == "NET")
        let _: TicketReceipt = try await api.answer("POST", path + "/accept", "{\(network)}")
        let _: TicketReceipt = try await api.answer("POST", path + "/reply", "{\(network),\"text\":\"已修复\"}")
        let _: TicketReceipt = try await api.answer(
            "POST", path + "/feedback", "{\(service),\"text\":\"已告知\",\"score\":5}")
        let closed: TicketReceipt = try await api.answer(
            "POST", path + "/close", "{\(service),\"isConfirmedByCustomer\":true}")
        #expect(closed.ticket.status == "closed")

        let detail: TicketDetail = try await api.answer("GET", "tickets/\(opened.ticket.number)")
        #expect(detail.id == opened.ticket.id)
        #expect(detail.path.map(\.department) == ["SVC", "NET"])
        #expect(detail.path.last?.person == "li")
        #expect(
            detail.timeline.map(\.kind) == ["open", "transfer", "delivered", "accept", "reply", "feedback", "close"])
        let history: TicketHistory = try await api.answer("GET", path + "/history")
        #expect(history.operations.count == 7)
        #expect(history.operations.allSatisfy { $0.hash.count == 64 })
        #expect(history.digest == detail.digest)
    }

    @Test("a number is found in any spelling")
    func spelling() async throws {
        let api = try await APINode()
        let opened = try await api.open()
        let spelled = opened.ticket.number.lowercased().filter { $0 != "-" }
        let detail: TicketDetail = try await api.answer("GET", "tickets/\(spelled)")
        #expect(detail.id == opened.ticket.id)
    }

    @Test("a ticket that is not here is 404 with a next step, in the reader's language")
    func notFound() async throws {
        let api = try await APINode()
        let error = try await api.failure("GET", "tickets/1-00000000000000010000000000000001", language: .chinese)
        #expect(error.status == 404)
        #expect(error.code == "noSuchTicket")
        #expect(error.message.hasSuffix("。"))
        #expect(error.next.contains("核对单号"))
        let command = try await api.failure("POST", "tickets/XX-261121-AAAA-A/accept", "{\(network)}")
        #expect(command.status == 404)
        #expect(!command.next.isEmpty)
    }

    @Test("what decide refuses is a conflict, and nothing is written")
    func refusals() async throws {
        let api = try await APINode()
        let opened = try await api.open()
        let path = "tickets/\(opened.ticket.id)"
        let stranger = try await api.failure("POST", path + "/accept", "{\(network)}")
        #expect((stranger.status, stranger.code) == (409, "notHolder"))
        let unexplained = try await api.failure("POST", path + "/close", "{\(service)}")
        #expect((unexplained.status, unexplained.code) == (422, "closeNeedsReason"))
        let early = try await api.failure("POST", path + "/reopen", "{\(service),\"reason\":\"复现\"}")
        #expect((early.status, early.code) == (409, "notClosed"))
        let detail: TicketDetail = try await api.answer("GET", path)
        #expect(detail.operationCount == 1)
    }

    @Test("a command on a version that has been overtaken is told so")
    func staleVersion() async throws {
        let api = try await APINode()
        let opened = try await api.open()
        let path = "tickets/\(opened.ticket.id)"
        let _: TicketReceipt = try await api.answer("POST", path + "/transfer", "{\(service),\"department\":\"NET\"}")
        let stale = "{\(network),\"seen\":[\"\(opened.version[0])\"]}"
        let error = try await api.failure("POST", path + "/accept", stale)
        #expect((error.status, error.code) == (409, "custodyMoved"))
    }

    @Test(
        "malformed JSON is 400 and names the field",
        arguments: [
            ("{", ""), (#"{"actor":{"name":"wang"}}"#, "title"), (#"{"title":"x"}"#, "actor"),
            (#"{"actor":{"name":"wang"},"title":7}"#, "title"),
            (#"{"actor":{"name":"wang","role":"king"},"title":"x"}"#, "actor.role"),
            (#"{"actor":{"name":"wang"},"title":"x","urgency":"soon"}"#, "urgency"),
            (#"{"actor":{"name":"wang"},"title":"x","promised":"tomorrow"}"#, "promised"),
        ])
    func malformed(_ body: String, _ field: String) async throws {
        let api = try await APINode()
        let error = try await api.failure("POST", "tickets", body)
        #expect(error.status == 400)
        #expect(error.field ?? "" == field)
    }

    @Test("an unknown filter is 400 and names itself")
    func unknownFilter() async throws {
        let api = try await APINode()
        let error = try await api.failure("GET", "tickets?colour=red")
        #expect((error.status, error.field) == (400, "colour"))
    }

    @Test("a body beyond the limit is 413")
    func tooLarge() async throws {
        let api = try await APINode()
        let body = #"{"title":""# + String(repeating: "x", count: RequestLimits.bodyBytesMax) + #""}"#
        #expect(try await api.failure("POST", "tickets", body).status == 413)
    }

    @Test("search by text finds a Han word and says how far it is behind")
    func search() async throws {
        let api = try await APINode()
        let opened = try await api.open("彩信不能收")
        _ = try await api.open("宽带断网")
        while try await api.node.administer({ try $0.reader.search.advance() }) > 0 {}
        let page: TicketPage = try await api.answer("GET", "tickets?text=\(APIPath.escape("彩信"))")
        #expect(page.items.map(\.id) == [opened.ticket.id])
        #expect(page.searchBacklog == 0)
    }

    @Test("a browser gets nothing from this interface")
    func browser() async throws {
        let api = try await APINode()
        let (status, _) = await api.call("GET", "status", caller: .browser(remoteAddress: "192.0.2.1:1"))
        #expect(status == 403)
    }

    @Test("fields, tags, notes, chases and twins have a route each")
    func others() async throws {
        let api = try await APINode()
        let first = try await api.open("甲")
        let second = try await api.open("乙")
        let path = "tickets/\(first.ticket.id)"
        for (command, fields) in [
            ("set", #""field":"urgency","value":"low""#),
            ("set", #""field":"promisedTime","value":"2027-01-15T18:00:00Z""#),
            ("tag", #""tag":"批量""#), ("untag", #""tag":"批量""#), ("note", #""text":"已联系""#),
            ("chase", #""note":"再次来电""#),
            ("acknowledge", #""chase":null"#), ("answer", #""text":"今日完成""#),
            ("join", #""other":"\#(second.ticket.number)""#),
            ("separate", #""other":"\#(second.ticket.id)""#),
        ] {
            let (status, body) = await api.call("POST", "\(path)/\(command)", "{\(service),\(fields)}")
            #expect(status == 200, "\(command): \(String(decoding: body, as: UTF8.self))")
        }
        let detail: TicketDetail = try await api.answer("GET", path)
        #expect(detail.fields.first { $0.field == "urgency" }?.values.map(\.value) == ["low"])
        #expect(detail.fields.first { $0.field == "promisedTime" }?.values.map(\.value) == ["2027-01-15T18:00:00.000Z"])
        #expect(detail.chases.map(\.isAnswered) == [true])
        #expect(detail.tags.isEmpty && detail.twins.isEmpty)
    }

    @Test("an opening with a tag that is refused leaves no ticket behind")
    func refusedTag() async throws {
        let api = try await APINode()
        let (status, body) = await api.call("POST", "tickets", "{\(service),\"title\":\"断网\",\"tags\":[\"批量\",\" \"]}")
        #expect(status == 422, "\(String(decoding: body, as: UTF8.self))")
        let page: TicketPage = try await api.answer("GET", "tickets")
        #expect(page.items.isEmpty)
    }

    @Test("undo writes the value back that stood before")
    func undo() async throws {
        let api = try await APINode()
        let opened = try await api.open()
        let path = "tickets/\(opened.ticket.id)"
        let set: TicketReceipt = try await api.answer(
            "POST", path + "/set", "{\(service),\"field\":\"title\",\"value\":\"改过\"}")
        let _: TicketReceipt = try await api.answer(
            "POST", path + "/undo", "{\(service),\"write\":\"\(set.operations[0])\"}")
        let detail: TicketDetail = try await api.answer("GET", path)
        #expect(detail.title == "上网慢")
        let error = try await api.failure("POST", path + "/resolve", "{\(service),\"field\":\"title\",\"value\":\"x\"}")
        #expect((error.status, error.code) == (404, "noSuchConflict"))
    }
}

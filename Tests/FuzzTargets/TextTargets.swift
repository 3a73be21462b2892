import FoundationEssentials
import Node
import Tickets

extension FuzzTarget {
    static func runCSV(_ bytes: [UInt8]) {
        let separators: [Character] = [",", ";", "\t"]
        let separator = separators[Int(bytes.first ?? 0) % separators.count]
        _ = try? CSVTable(path: "log.csv", bytes: Array(bytes.dropFirst()), separator: separator)
    }

    static func runMapping(_ bytes: [UInt8]) {
        _ = try? ImportMapping(path: "mapping.yaml", text: String(decoding: bytes, as: UTF8.self))
    }

    static func runConfiguration(_ bytes: [UInt8]) {
        _ = try? NodeConfiguration(path: "node.yaml", text: String(decoding: bytes, as: UTF8.self))
    }

    static func runRequest(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        let body = Data(bytes.dropFirst())
        requests[Int(first) % requests.count](body)
        _ = TicketNumber.parse(String(decoding: body, as: UTF8.self))
    }

    private static let requests: [@Sendable (Data) -> Void] = [
        reading(OpenRequest.self), reading(SetRequest.self), reading(TransferRequest.self),
        reading(ReplyRequest.self), reading(FeedbackRequest.self), reading(CloseRequest.self),
        reading(ReopenRequest.self), reading(ChaseRequest.self), reading(AcknowledgeRequest.self),
        reading(AnswerRequest.self), reading(NoteRequest.self), reading(SettleRequest.self),
        reading(TwinRequest.self), reading(TagRequest.self), reading(ResolveRequest.self),
        reading(UndoRequest.self), reading(TokenRequest.self), reading(RevocationRequest.self),
        reading(ErasureRequest.self), reading(BundleRequest.self),
    ]

    private static func reading<Request: Decodable & SendableMetatype>(_ type: Request.Type) -> @Sendable (Data) -> Void
    {
        { _ = try? JSONDecoder().decode(Request.self, from: $0) }
    }
}

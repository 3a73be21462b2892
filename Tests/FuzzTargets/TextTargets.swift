import FoundationEssentials
import Node
import Replication
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

    static func runTime(_ bytes: [UInt8]) {
        let parts = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let pattern = try? TimePattern(String(decoding: parts[0], as: UTF8.self)) else {
            return
        }
        _ = pattern.milliseconds(String(decoding: parts[1], as: UTF8.self), offsetMinutes: 480)
    }

    static func runCatalog(_ bytes: [UInt8]) throws {
        guard let catalog = try? Catalog(json: bytes) else { return }
        guard try Catalog(json: catalog.json()) == catalog else {
            throw Violation(description: "a catalog is another one after a round trip")
        }
    }

    static func runForm(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        _ = FormFields(urlEncoded: text)
        _ = text.split(separator: " ").map { Dot(text: $0) }
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

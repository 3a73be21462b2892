import TestSupport
import Transport

/// What came of a case.
struct Outcome: Sendable, CustomStringConvertible {
    var frames: [Frame] = []
    /// Whether the server has ended the connection.
    var hasEnded = false

    /// Whether the server has done what it has to.
    func meets(_ expectation: Expectation) -> Bool {
        switch expectation {
        case .connectionError(let codes): hasEnded && goAways.count > 0 && goAways.allSatisfy(codes.contains)
        case .end: hasEnded && goAways.allSatisfy { $0 == .protocolError }
        case .streamError(let stream, let codes):
            goesOn && resets.count == 1 && resets[0].stream == stream && codes.contains(resets[0].code)
        case .malformed(let stream):
            meets(.streamError(stream, [.protocolError])) && !frames.contains { $0.type == Frame.headersType }
        case .response(let stream, let lines):
            goesOn && hasAnswered(stream, with: lines)
        case .lastResponse(let stream, let lines):
            hasEnded && goAways.isEmpty && hasAnswered(stream, with: lines)
        case .ignored: goesOn && resets.isEmpty && !frames.contains { $0.type <= Frame.headersType }
        case .goesOn(_, let holds): goesOn && holds(frames)
        case .either(let several): several.contains(where: meets)
        }
    }

    private var goesOn: Bool { !hasEnded && goAways.isEmpty }

    private var goAways: [HTTP2ErrorCode] {
        frames.filter { $0.type == Frame.goAwayType }.map { HTTP2ErrorCode(rawValue: $0.number(at: 4)) }
    }

    private var resets: [(stream: UInt32, code: HTTP2ErrorCode)] {
        frames.filter { $0.type == Frame.resetType }
            .map { ($0.stream, HTTP2ErrorCode(rawValue: $0.number(at: 0))) }
    }

    /// Status 200, these lines, and an end; nothing was reset.
    private func hasAnswered(_ stream: UInt32, with lines: [String]) -> Bool {
        let mine = frames.filter { $0.stream == stream && $0.type <= Frame.headersType }
        guard let head = mine.first, head.type == Frame.headersType else { return false }
        // A change of the table's size may stand before the field (RFC 7541 §4.2).
        let status = head.payload.first { $0 & 0xe0 != 0x20 }
        return status == 0x88 && mine.last!.flags & Frame.endStream != 0 && resets.isEmpty
            && Set(text(stream).split(separator: "\n").map(String.init)).isSuperset(of: lines)
    }

    func text(_ stream: UInt32) -> String {
        let body = frames.filter { $0.stream == stream && $0.type == Frame.dataType }.flatMap(\.payload)
        return String(decoding: body, as: UTF8.self)
    }

    var description: String {
        let list = frames.map { frame in
            switch frame.type {
            case Frame.dataType: "DATA \(frame.stream) (\(frame.payload.count))"
            case Frame.headersType: "HEADERS \(frame.stream)"
            case Frame.resetType: "RST_STREAM \(frame.stream) \(HTTP2ErrorCode(rawValue: frame.number(at: 0)))"
            case Frame.settingsType: frame.flags & Frame.acknowledgement != 0 ? "SETTINGS ACK" : "SETTINGS"
            case Frame.pingType: "PING"
            case Frame.goAwayType:
                "GOAWAY \(HTTP2ErrorCode(rawValue: frame.number(at: 4)))"
                    + " \(String(decoding: frame.payload.dropFirst(8), as: UTF8.self))"
            case Frame.windowUpdateType: "WINDOW_UPDATE \(frame.stream)"
            default: "type \(frame.type)"
            }
        }
        return list.joined(separator: ", ") + (hasEnded ? ", end" : ", goes on")
    }
}

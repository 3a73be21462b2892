import TestSupport
import Testing
import Transport

/// What is said to a server, and what it has to make of it.
struct ConformanceCase: Sendable, CustomTestStringConvertible {
    enum Step: Sendable {
        /// In one piece.
        case send([[UInt8]])
        /// Until the server has said this.
        case await(String, @Sendable ([Frame]) -> Bool)
    }

    enum Greeting: Sendable {
        /// Preface and SETTINGS, and the answer to the server's.
        case usual
        /// The same with this payload of SETTINGS.
        case settings([UInt8])
        /// Nothing: the case begins with the first octet.
        case none
    }

    /// Of RFC 9113, or of RFC 7541 where the suite says so.
    let section: String
    /// What is sent.
    let sentence: String
    let greeting: Greeting
    let steps: [Step]
    let expectation: Expectation
    /// Why the server does something else, if it does.
    let knownIssue: Comment?

    init(
        _ section: String, _ sentence: String, greeting: Greeting = .usual, steps: [Step], _ expectation: Expectation,
        knownIssue: Comment? = nil
    ) {
        self.section = section
        self.sentence = sentence
        self.greeting = greeting
        self.steps = steps
        self.expectation = expectation
        self.knownIssue = knownIssue
    }

    init(
        _ section: String, _ sentence: String, greeting: Greeting = .usual, _ frames: [[UInt8]],
        _ expectation: Expectation, knownIssue: Comment? = nil
    ) {
        self.init(
            section, sentence, greeting: greeting, steps: [.send(frames)], expectation, knownIssue: knownIssue)
    }

    var testDescription: String { "§\(section) \(sentence)" }
}

extension ConformanceCase.Step {
    /// The whole answer on a stream.
    static func answer(_ stream: UInt32) -> Self {
        .await("an answer on stream \(stream)") { frames in
            frames.contains { $0.stream == stream && $0.flags & Frame.endStream != 0 && $0.type <= Frame.headersType }
        }
    }

    /// The head of an answer.
    static func head(_ stream: UInt32) -> Self {
        .await("a head on stream \(stream)") { frames in
            frames.contains { $0.stream == stream && $0.type == Frame.headersType }
        }
    }

    static func body(_ stream: UInt32, bytes: Int) -> Self {
        .await("\(bytes) bytes on stream \(stream)") { Self.bodyBytes($0, stream) >= bytes }
    }

    static func bodyBytes(_ frames: [Frame], _ stream: UInt32) -> Int {
        frames.filter { $0.type == Frame.dataType && $0.stream == stream }.reduce(0) { $0 + $1.payload.count }
    }
}

/// What an endpoint does about what it was sent.
enum Expectation: Sendable {
    /// GOAWAY with one of these codes, and the connection ends (RFC 9113 §5.4.1).
    case connectionError([HTTP2ErrorCode])
    /// The connection ends, with a GOAWAY of PROTOCOL_ERROR or without one (RFC 9113 §3.4).
    case end
    /// RST_STREAM with one of these codes, and the connection goes on (RFC 9113 §5.4.2).
    case streamError(UInt32, [HTTP2ErrorCode])
    /// A malformed request: RST_STREAM with PROTOCOL_ERROR, and nobody is asked to answer it (RFC 9113 §8.1.1).
    case malformed(UInt32)
    /// A complete answer whose text has these lines, and the connection goes on.
    case response(UInt32, has: [String] = [])
    /// The same, and then the connection ends without an error: the client has said that it goes.
    case lastResponse(UInt32, has: [String] = [])
    /// No answer to it, and the connection goes on.
    case ignored
    /// The connection goes on, and this holds of what was said.
    case goesOn(String, @Sendable ([Frame]) -> Bool)
    /// Where the protocol leaves the choice.
    case either([Expectation])
}

extension HTTP2ErrorCode {
    static let streamClosed = Self(rawValue: 0x5)
    static let frameSizeError = Self(rawValue: 0x6)
    static let compressionError = Self(rawValue: 0x9)
}

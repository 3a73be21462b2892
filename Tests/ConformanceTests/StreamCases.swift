import TestSupport
import Transport

/// RFC 9113 §5: the states of a stream. A stream is held open by a body that does not end, and half-closed by a client
/// that gives no credit for the answer.
extension ConformanceCase {
    private static let noCredit = Greeting.settings(setting(4, 0))
    private static let get = Frame.headers(1, Request.get, flags: 5)
    /// A field block that does not end.
    private static let openGet = Frame.headers(1, Request.get, flags: 1)
    private static let end = Frame.continuation(1, flags: Frame.endHeaders)
    private static let open = Frame.headers(1, Request.post)

    /// §5.1, idle
    static let idle: [Self] = [
        Self("5.1", "idle: DATA", [Frame.data(1, [1], flags: 1)], .connectionError([.protocolError])),
        Self("5.1", "idle: RST_STREAM", [Frame.reset(1)], .connectionError([.protocolError])),
        Self("5.1", "idle: WINDOW_UPDATE", [Frame.windowUpdate(1, by: 100)], .connectionError([.protocolError])),
        Self(
            "5.1", "idle: CONTINUATION", [Frame.continuation(1, Request.get, flags: 5)],
            .connectionError([.protocolError])),
        Self("5.1", "idle: PRIORITY", [Frame.priority(1), get], .response(1)),
    ]

    /// §5.1, half-closed (remote)
    static let halfClosed: [Self] = [
        Self(
            "5.1", "half-closed: DATA", greeting: noCredit, [get, Frame.data(1, [1], flags: 1)],
            .either([.streamError(1, [.streamClosed]), .connectionError([.streamClosed])])),
        Self(
            "5.1", "half-closed: HEADERS", greeting: noCredit, [get, get],
            .either([.streamError(1, [.streamClosed]), .connectionError([.streamClosed])])),
        Self(
            "5.1", "half-closed: CONTINUATION", greeting: noCredit,
            [get, Frame.continuation(1, Request.get, flags: 4)],
            .either([.streamError(1, [.streamClosed]), .connectionError([.streamClosed, .protocolError])])),
        Self(
            "5.1", "half-closed: WINDOW_UPDATE gives credit", greeting: noCredit,
            steps: [.send([get]), .head(1), .send([Frame.windowUpdate(1, by: 1_000)])], .response(1)),
        Self("5.1", "half-closed: PRIORITY", [get, Frame.priority(1)], .response(1)),
        Self(
            "5.1", "half-closed: RST_STREAM, and its answer is not sent", greeting: noCredit,
            steps: [.send([get]), .head(1), .send([Frame.reset(1), Frame.windowUpdate(0, by: 1_000)])],
            .goesOn("no body") { !$0.contains { $0.type == Frame.dataType } }),
    ]

    /// §5.1, closed. After its own reset a peer may get no answer, or the end; a stream that has ended may be forgotten.
    static let closed: [Self] = [
        Self("5.1", "reset: DATA", [open, Frame.reset(1), Frame.data(1, [1], flags: 1)], afterReset),
        Self("5.1", "reset: HEADERS", [open, Frame.reset(1), get], afterReset),
        Self(
            "5.1", "reset: CONTINUATION", [open, Frame.reset(1), end],
            .connectionError([.streamClosed, .protocolError])),
        Self("5.1", "reset: PRIORITY", [open, Frame.reset(1), Frame.priority(1)], .ignored),
        Self(
            "5.1", "reset: WINDOW_UPDATE", [open, Frame.reset(1), Frame.windowUpdate(1)],
            .either([.ignored, afterReset])),
        Self("5.1", "ended: DATA", steps: [.send([get]), .answer(1), .send([Frame.data(1, [1], flags: 1)])], afterEnd),
        Self(
            "5.1", "ended: HEADERS", steps: [.send([get]), .answer(1), .send([get])],
            .connectionError([.streamClosed, .protocolError])),
        Self(
            "5.1", "ended: CONTINUATION", steps: [.send([get]), .answer(1), .send([end])],
            .connectionError([.streamClosed, .protocolError])),
        Self("5.1", "ended: PRIORITY", steps: [.send([get]), .answer(1), .send([Frame.priority(1)])], .response(1)),
        Self(
            "5.1", "ended: WINDOW_UPDATE that crossed the end",
            steps: [.send([get]), .answer(1), .send([Frame.windowUpdate(1)])], .response(1)),
        Self(
            "5.1", "ended: RST_STREAM that crossed the end",
            steps: [.send([get]), .answer(1), .send([Frame.reset(1)])], .response(1)),
        Self(
            "5.1", "reset: another stream goes on",
            [open, Frame.reset(1), Frame.headers(3, Request.get, flags: 5)], .response(3)),
    ]

    private static let afterReset = Expectation.either([
        .streamError(1, [.streamClosed]), .connectionError([.streamClosed]),
    ])
    /// "MAY treat receipt of any other type of frame on a closed stream as a connection error of type STREAM_CLOSED".
    private static let afterEnd = Expectation.either([.response(1), .connectionError([.streamClosed])])

    /// §5.1.1, §5.1.2
    static let identifiers: [Self] = [
        Self(
            "5.1.1", "a stream with an even number", [Frame.headers(2, Request.get, flags: 5)],
            .connectionError([.protocolError])),
        Self(
            "5.1.1", "a number lower than one that was used",
            [Frame.headers(5, Request.get, flags: 5), Frame.headers(3, Request.get, flags: 5)],
            .connectionError([.protocolError])),
        Self("5.1.1", "a number that leaves others out", [Frame.headers(99, Request.get, flags: 5)], .response(99)),
        Self(
            "5.1.1", "the last number there is", [Frame.headers(0x7fff_ffff, Request.get, flags: 5)],
            .response(0x7fff_ffff)),
        Self(
            "5.1.1", "DATA on a number that was left out",
            [Frame.headers(5, Request.post), Frame.data(3, [1], flags: 1)],
            .either([.ignored, .connectionError([.protocolError, .streamClosed])])),
        Self(
            "5.1.1", "HEADERS on a number whose stream was reset by the server",
            [
                Frame.headers(1, Request.block(method: "POST", [("content-length", "1")])), Frame.data(1, [1, 2]),
                Frame.headers(3, Request.get, flags: 5), Frame.headers(1, HPACK.literal("x-sum", "7"), flags: 5),
            ],
            .goesOn("a reset of 1 and an answer on 3") { frames in
                frames.contains { $0.type == Frame.resetType && $0.stream == 1 }
                    && frames.contains { $0.type == Frame.headersType && $0.stream == 3 }
            }),
        Self(
            "5.1.2", "one stream more than SETTINGS_MAX_CONCURRENT_STREAMS",
            [(0...16).flatMap { Frame.headers(2 * $0 + 1, Request.post) }],
            .either([.streamError(33, [.refusedStream, .protocolError]), .connectionError([.protocolError])])),
        Self(
            "5.1.2", "another stream after one of sixteen has ended",
            [
                (0..<16).flatMap { Frame.headers(2 * $0 + 1, Request.post) }, Frame.reset(1),
                Frame.headers(33, Request.get, flags: 5),
            ],
            .response(33)),
    ]

    private static func headers(dependingOn stream: UInt32, weight: UInt8 = 10, exclusive: Bool = false) -> [UInt8] {
        Frame.headers(
            1, Frame.number(stream | (exclusive ? 1 << 31 : 0)) + [weight] + Request.get, flags: 5 | Frame.prioritized)
    }

    private static func priority(_ stream: UInt32, _ dependency: UInt32, weight: UInt8 = 10) -> [UInt8] {
        Frame.bytes(Frame.priorityType, stream: stream, Frame.number(dependency) + [weight])
    }

    /// §5.3: deprecated, and still to be read. A stream that depends on itself was an error until RFC 9113.
    static let priorities: [Self] = [
        Self("5.3.2", "HEADERS with a priority", [headers(dependingOn: 0)], .response(1)),
        Self(
            "5.3.2", "HEADERS with an exclusive dependency on a stream that is not there",
            [headers(dependingOn: 9, exclusive: true)], .response(1)),
        Self("5.3.2", "PRIORITY with the least weight", [priority(1, 0, weight: 0), get], .response(1)),
        Self("5.3.2", "PRIORITY with the greatest weight", [priority(1, 0, weight: 255), get], .response(1)),
        Self("5.3.2", "PRIORITY with a dependency", [priority(3, 1), get], .response(1)),
        Self("5.3.2", "PRIORITY with an exclusive dependency", [priority(3, 1 | 1 << 31), get], .response(1)),
        Self(
            "5.3.2", "PRIORITY of a stream that is not open, then a lower one is opened",
            [priority(7, 0), Frame.headers(3, Request.get, flags: 5)], .response(3)),
        Self(
            "5.3.2", "HEADERS that depend on themselves", [headers(dependingOn: 1)],
            .either([.response(1), .streamError(1, [.protocolError]), .connectionError([.protocolError])])),
        Self(
            "5.3.2", "PRIORITY that depends on itself", [priority(1, 1)],
            .either([.ignored, .streamError(1, [.protocolError]), .connectionError([.protocolError])])),
    ]

    /// §5.4
    static let errors: [Self] = [
        Self(
            "5.4.1", "after a connection error the connection ends", [Frame.bytes(6, [1, 2])],
            .connectionError([.frameSizeError])),
        Self(
            "5.4.1", "GOAWAY names the last stream that was taken",
            steps: [
                .send([get]), .answer(1), .send([Frame.bytes(6, stream: 1, Array(repeating: 0, count: 8))]),
                .await("a GOAWAY that names it") {
                    $0.contains { $0.type == Frame.goAwayType && $0.number(at: 0) == 1 }
                },
            ],
            .connectionError([.protocolError])),
        Self(
            "5.4.2", "after a stream error the others go on",
            [
                Frame.headers(1, Request.fields([(":method", "GET")]), flags: 5),
                Frame.headers(3, Request.get, flags: 5),
            ],
            .goesOn("a reset of 1 and an answer on 3") { frames in
                frames.contains { $0.type == Frame.resetType && $0.stream == 1 }
                    && frames.contains { $0.type == Frame.headersType && $0.stream == 3 }
            }),
        Self("5.4.2", "RST_STREAM is not answered with RST_STREAM", [open, Frame.reset(1)], .ignored),
    ]
}

import TestSupport
import Transport

/// RFC 9113 §6: one kind of frame after the other.
extension ConformanceCase {
    private static let get = Frame.headers(1, Request.get, flags: 5)
    private static let open = Frame.headers(1, Request.post)
    private static let padded = Frame.padded

    /// §6.1
    static let data: [Self] = [
        Self(
            "6.1", "DATA", [open, Frame.data(1, Array("one".utf8), flags: 1)],
            .response(1, has: ["POST /", "body: one"])),
        Self(
            "6.1", "DATA in several frames",
            [open, Frame.data(1, Array("one ".utf8)), Frame.data(1, Array("two".utf8)), Frame.data(1, flags: 1)],
            .response(1, has: ["body: one two"])),
        Self(
            "6.1", "DATA with padding", [open, Frame.data(1, [3] + Array("one".utf8) + [0, 0, 0], flags: 1 | padded)],
            .response(1, has: ["body: one"])),
        Self(
            "6.1", "DATA that is nothing but padding", [open, Frame.data(1, [2, 0, 0], flags: 1 | padded)],
            .response(1, has: ["body: "])),
        Self("6.1", "DATA on stream 0", [Frame.data(0, [1], flags: 1)], .connectionError([.protocolError])),
        Self(
            "6.1", "DATA with padding as long as the payload",
            [open, Frame.data(1, [4, 0x61, 0, 0], flags: 1 | padded)], .connectionError([.protocolError])),
        Self(
            "6.1", "DATA with padding longer than the payload", [open, Frame.data(1, [200, 0x61], flags: 1 | padded)],
            .connectionError([.protocolError])),
        Self(
            "6.1", "padded DATA without a length of the padding", [open, Frame.data(1, [], flags: 1 | padded)],
            .connectionError([.protocolError, .frameSizeError])),
    ]

    /// §6.2
    static let headers: [Self] = [
        Self("6.2", "HEADERS", [get], .response(1, has: ["GET /"])),
        Self(
            "6.2", "HEADERS with padding", [Frame.headers(1, [2] + Request.get + [0, 0], flags: 5 | padded)],
            .response(1)),
        Self(
            "6.2", "HEADERS with padding and a priority",
            [Frame.headers(1, [1, 0, 0, 0, 0, 10] + Request.get + [0], flags: 5 | padded | Frame.prioritized)],
            .response(1)),
        Self(
            "6.2", "HEADERS on stream 0", [Frame.headers(0, Request.get, flags: 5)], .connectionError([.protocolError])),
        Self(
            "6.2", "HEADERS with padding longer than the payload",
            [Frame.headers(1, [200] + Request.get, flags: 5 | padded)],
            .connectionError([.protocolError])),
        Self(
            "6.2", "HEADERS too short for the priority they announce",
            [Frame.headers(1, [0, 0, 0], flags: 5 | Frame.prioritized)],
            .connectionError([.frameSizeError, .protocolError])),
        Self(
            "6.2", "HEADERS without END_HEADERS, then DATA",
            [Frame.headers(1, Request.get, flags: 0), Frame.data(1, [1], flags: 1)],
            .connectionError([.protocolError])),
    ]

    /// §6.3, §6.4
    static let priorityAndReset: [Self] = [
        Self("6.3", "PRIORITY on stream 0", [Frame.priority(0)], .connectionError([.protocolError])),
        Self(
            "6.3", "PRIORITY of four octets", [open, Frame.bytes(2, stream: 1, [0, 0, 0, 0])],
            .either([.streamError(1, [.frameSizeError]), .connectionError([.frameSizeError])])),
        Self(
            "6.3", "PRIORITY of six octets", [open, Frame.bytes(2, stream: 1, [0, 0, 0, 0, 10, 0])],
            .either([.streamError(1, [.frameSizeError]), .connectionError([.frameSizeError])])),
        Self("6.4", "RST_STREAM", [open, Frame.reset(1)], .ignored),
        Self("6.4", "RST_STREAM on stream 0", [Frame.reset(0)], .connectionError([.protocolError])),
        Self(
            "6.4", "RST_STREAM of three octets", [open, Frame.bytes(3, stream: 1, [0, 0, 8])],
            .connectionError([.frameSizeError])),
        Self(
            "6.4", "RST_STREAM of five octets", [open, Frame.bytes(3, stream: 1, [0, 0, 0, 8, 0])],
            .connectionError([.frameSizeError])),
    ]

    private static let acknowledged = Expectation.goesOn("an ACK without payload") {
        $0.contains { $0.type == Frame.settingsType && $0.flags == 1 && $0.payload.isEmpty && $0.stream == 0 }
    }

    /// §6.5
    static let settings: [Self] = [
        Self("6.5", "SETTINGS", [Frame.bytes(4, setting(1, 4_096) + setting(3, 100))], acknowledged),
        Self(
            "6.5", "SETTINGS with ACK and a payload", [Frame.bytes(4, flags: 1, setting(3, 1))],
            .connectionError([.frameSizeError])),
        Self(
            "6.5", "SETTINGS on a stream", [Frame.bytes(4, stream: 1, setting(3, 1))],
            .connectionError([.protocolError])),
        Self("6.5", "SETTINGS of five octets", [Frame.bytes(4, [0, 3, 0, 0, 0])], .connectionError([.frameSizeError])),
        Self(
            "6.5", "SETTINGS of seven octets", [Frame.bytes(4, setting(3, 1) + [0])],
            .connectionError([.frameSizeError])),
        Self("6.5.2", "SETTINGS_ENABLE_PUSH of 2", [Frame.bytes(4, setting(2, 2))], .connectionError([.protocolError])),
        Self(
            "6.5.2", "SETTINGS_ENABLE_PUSH of 0 and of 1",
            [Frame.bytes(4, setting(2, 0)), Frame.bytes(4, setting(2, 1))], acknowledged),
        Self(
            "6.5.2", "SETTINGS_INITIAL_WINDOW_SIZE of 2^31", [Frame.bytes(4, setting(4, 1 << 31))],
            .connectionError([.flowControlError])),
        Self(
            "6.5.2", "SETTINGS_MAX_FRAME_SIZE below 2^14", [Frame.bytes(4, setting(5, 16_383))],
            .connectionError([.protocolError])),
        Self(
            "6.5.2", "SETTINGS_MAX_FRAME_SIZE of 2^24", [Frame.bytes(4, setting(5, 1 << 24))],
            .connectionError([.protocolError])),
        Self(
            "6.5.2", "SETTINGS_HEADER_TABLE_SIZE of 0: answers without a table", greeting: .settings(setting(1, 0)),
            [get], .response(1)),
        Self(
            "6.5.3", "the last of several values of a setting counts",
            greeting: .settings(setting(4, 100) + setting(4, 1)),
            steps: [.send([get]), .body(1, bytes: 1)],
            .goesOn("one octet of body") { Step.bodyBytes($0, 1) == 1 }),
        Self(
            "6.5.3", "each SETTINGS has its ACK", [Frame.settings(), Frame.settings(), Frame.settings()],
            .goesOn("three ACKs") { $0.count { $0.type == Frame.settingsType && $0.flags == 1 } == 3 }),
    ]

    private static let octets: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]

    /// §6.6, §6.7, §6.8, §7
    static let control: [Self] = [
        Self(
            "6.6", "PUSH_PROMISE from a client",
            [open, Frame.bytes(5, flags: 4, stream: 1, Frame.number(2) + Request.get)],
            .connectionError([.protocolError])),
        Self(
            "6.7", "PING", [Frame.bytes(6, octets)],
            .goesOn("an answer with the same octets") {
                $0.contains { $0.type == Frame.pingType && $0.flags == 1 && $0.payload == octets }
            }),
        Self(
            "6.7", "PING with ACK", [Frame.bytes(6, flags: 1, octets)],
            .goesOn("no answer") { !$0.contains { $0.type == Frame.pingType } }),
        Self("6.7", "PING on a stream", [Frame.bytes(6, stream: 1, octets)], .connectionError([.protocolError])),
        Self(
            "6.7", "PING of seven octets", [Frame.bytes(6, [1, 2, 3, 4, 5, 6, 7])], .connectionError([.frameSizeError])),
        Self("6.7", "PING of nine octets", [Frame.bytes(6, octets + [9])], .connectionError([.frameSizeError])),
        Self(
            "6.8", "GOAWAY while a request runs: it is answered",
            [open, Frame.goAway(), Frame.data(1, [0x61], flags: 1)],
            .lastResponse(1, has: ["body: a"])),
        Self(
            "6.8", "GOAWAY on a stream", [Frame.bytes(7, stream: 1, Frame.number(0) + Frame.number(0))],
            .connectionError([.protocolError])),
        Self(
            "6.8", "GOAWAY of seven octets", [Frame.bytes(7, [0, 0, 0, 0, 0, 0, 0])],
            .connectionError([.frameSizeError])),
        Self(
            "7", "GOAWAY with an unknown error code", [Frame.bytes(7, Frame.number(0) + Frame.number(0xff)), get],
            .lastResponse(1)),
        Self(
            "7", "RST_STREAM with an unknown error code", [open, Frame.bytes(3, stream: 1, Frame.number(0xff))],
            .ignored),
    ]

    /// §6.9
    static let windows: [Self] = [
        Self("6.9", "WINDOW_UPDATE of the connection", [Frame.windowUpdate(0, by: 1_000)], .ignored),
        Self("6.9", "WINDOW_UPDATE of a stream", [open, Frame.windowUpdate(1, by: 1_000)], .ignored),
        Self(
            "6.9", "WINDOW_UPDATE by 0 of the connection", [Frame.windowUpdate(0, by: 0)],
            .connectionError([.protocolError])),
        Self(
            "6.9", "WINDOW_UPDATE by 0 of a stream", [open, Frame.windowUpdate(1, by: 0)],
            .either([.streamError(1, [.protocolError]), .connectionError([.protocolError])])),
        Self("6.9", "WINDOW_UPDATE of three octets", [Frame.bytes(8, [0, 0, 1])], .connectionError([.frameSizeError])),
        Self(
            "6.9", "WINDOW_UPDATE of five octets", [Frame.bytes(8, [0, 0, 0, 1, 0])],
            .connectionError([.frameSizeError])),
        Self("6.9", "WINDOW_UPDATE with the reserved bit set", [Frame.windowUpdate(0, by: 1 << 31 | 1)], .ignored),
        Self(
            "6.9.1", "a window of one octet lets one octet through", greeting: .settings(setting(4, 1)),
            steps: [.send([get]), .body(1, bytes: 1)],
            .goesOn("one octet of body") { Step.bodyBytes($0, 1) == 1 }),
        Self(
            "6.9.1", "the connection's window above 2^31 - 1",
            [Frame.windowUpdate(0, by: 0x7fff_ffff), Frame.windowUpdate(0, by: 0x7fff_ffff)],
            .connectionError([.flowControlError])),
        Self(
            "6.9.1", "a stream's window above 2^31 - 1",
            [open, Frame.windowUpdate(1, by: 0x7fff_ffff), Frame.windowUpdate(1, by: 0x7fff_ffff)],
            .either([.streamError(1, [.flowControlError]), .connectionError([.flowControlError])])),
        Self(
            "6.9.2", "SETTINGS_INITIAL_WINDOW_SIZE reaches streams that are open", greeting: .settings(setting(4, 0)),
            steps: [.send([get]), .head(1), .send([Frame.bytes(4, setting(4, 1))]), .body(1, bytes: 1)],
            .goesOn("one octet of body") { Step.bodyBytes($0, 1) == 1 }),
        Self(
            "6.9.2", "a window that a setting makes negative is filled up first", greeting: .settings(setting(4, 3)),
            steps: [
                .send([get]), .body(1, bytes: 3), .send([Frame.bytes(4, setting(4, 1)), Frame.windowUpdate(1, by: 3)]),
                .body(1, bytes: 4),
            ],
            .goesOn("four octets of body") { Step.bodyBytes($0, 1) == 4 }),
        Self(
            "6.9.2", "a setting that makes a stream's window overflow",
            [open, Frame.windowUpdate(1, by: 0x7fff_0000), Frame.bytes(4, setting(4, 0x7fff_ffff))],
            .connectionError([.flowControlError])),
    ]

    /// §6.10
    static let continuations: [Self] = [
        Self(
            "6.10", "CONTINUATION",
            [
                Frame.headers(1, Array(Request.get.prefix(5)), flags: 1),
                Frame.continuation(1, Array(Request.get.dropFirst(5)), flags: 4),
            ], .response(1)),
        Self(
            "6.10", "several CONTINUATIONs, one of them empty",
            [
                Frame.headers(1, [], flags: 1), Frame.continuation(1, Array(Request.get.prefix(9))),
                Frame.continuation(1),
                Frame.continuation(1, Array(Request.get.dropFirst(9)), flags: 4),
            ], .response(1)),
        Self(
            "6.10", "CONTINUATION, then another frame before END_HEADERS",
            [Frame.headers(1, Request.get, flags: 1), Frame.continuation(1), Frame.data(1, [1], flags: 1)],
            .connectionError([.protocolError])),
        Self(
            "6.10", "CONTINUATION of another stream",
            [Frame.headers(1, Request.get, flags: 1), Frame.continuation(3, flags: 4)],
            .connectionError([.protocolError])),
        Self(
            "6.10", "CONTINUATION on stream 0",
            [Frame.headers(1, Request.get, flags: 1), Frame.continuation(0, flags: 4)],
            .connectionError([.protocolError])),
        Self(
            "6.10", "CONTINUATION after HEADERS with END_HEADERS", [open, Frame.continuation(1, flags: 4)],
            .connectionError([.protocolError])),
        Self(
            "6.10", "CONTINUATION after CONTINUATION with END_HEADERS",
            [
                Frame.headers(1, Request.post, flags: 0), Frame.continuation(1, flags: 4),
                Frame.continuation(1, flags: 4),
            ], .connectionError([.protocolError])),
        Self(
            "6.10", "CONTINUATION after DATA", [open, Frame.data(1, [1]), Frame.continuation(1, flags: 4)],
            .connectionError([.protocolError])),
    ]
}

import TestSupport
import Transport

/// RFC 9113 §3 and §4: how a connection begins, and what a frame is.
extension ConformanceCase {
    /// §3.4
    static let preface: [Self] = [
        Self(
            "3.4", "preface and empty SETTINGS: they are answered", greeting: .none,
            steps: [
                .send([RawPeer.preface, Frame.settings()]),
                .await("SETTINGS and an ACK") { frames in
                    frames.count { $0.type == Frame.settingsType } == 2
                },
            ],
            .goesOn("SETTINGS is the first frame") { $0.first?.type == Frame.settingsType && $0[0].flags == 0 }),
        Self(
            "3.4", "a preface in single octets", greeting: .none,
            steps: RawPeer.preface.map { .send([[$0]]) } + [
                .send([Frame.settings(), Frame.headers(1, Request.get, flags: 5)])
            ],
            .response(1)),
        Self(
            "3.4", "a request in the same write as the preface", greeting: .none,
            [RawPeer.preface, Frame.settings(), Frame.headers(1, Request.get, flags: 5)], .response(1)),
        Self(
            "3.4", "a preface of another protocol", greeting: .none, [Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)],
            .end),
        Self(
            "3.4", "a preface whose last octet is wrong", greeting: .none,
            [RawPeer.preface.dropLast() + [0x0b], Frame.settings()], .end),
        Self(
            "3.4", "a preface and a frame that is not SETTINGS", greeting: .none, [RawPeer.preface, Frame.ping()], .end),
        Self(
            "3.4", "a preface and HEADERS before SETTINGS", greeting: .none,
            [RawPeer.preface, Frame.headers(1, Request.get, flags: 5)], .end),
        Self(
            "3.4", "a preface and an ACK of SETTINGS that were not sent yet", greeting: .none,
            [RawPeer.preface, Frame.bytes(4, flags: Frame.acknowledgement)], .end),
    ]

    private static let maximum = 16_384

    /// §4.1, §4.2
    static let frames: [Self] = [
        Self("4.1", "a frame of an unknown type", [Frame.bytes(0x16, flags: 0, [1, 2, 3])], .ignored),
        Self(
            "4.1", "a frame of an unknown type on a stream that was never opened", [Frame.bytes(0xff, stream: 77, [1])],
            .ignored),
        Self(
            "4.1", "PING with flags that are not defined",
            [Frame.bytes(6, flags: 0xfe, [9, 9, 9, 9, 9, 9, 9, 9])],
            .goesOn("an answer with the same octets, and no flag but ACK") { frames in
                frames.contains {
                    $0.type == Frame.pingType && $0.payload == [9, 9, 9, 9, 9, 9, 9, 9] && $0.flags == 1
                }
            }),
        Self(
            "4.1", "HEADERS with flags that are not defined", [Frame.headers(1, Request.get, flags: 5 | 0x52)],
            .response(1)),
        Self(
            "4.1", "PING with the reserved bit set",
            [[0, 0, 8, 6, 0, 0x80, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8]],
            .goesOn("an answer") {
                $0.contains { $0.type == Frame.pingType && $0.payload == Array(repeating: 8, count: 8) }
            }),
        Self(
            "4.1", "a request with the reserved bit set", [Frame.headers(1 | 1 << 31, Request.get, flags: 5)],
            .response(1)),
        Self(
            "4.2", "DATA of 2^14 octets",
            [Frame.headers(1, Request.post), Frame.data(1, Array(repeating: 0x61, count: maximum), flags: 1)],
            .response(1)),
        Self(
            "4.2", "DATA of 2^14 + 1 octets",
            [Frame.headers(1, Request.post), Frame.data(1, Array(repeating: 0x61, count: maximum + 1), flags: 1)],
            .either([.streamError(1, [.frameSizeError]), .connectionError([.frameSizeError])])),
        Self(
            "4.2", "HEADERS of 2^14 + 1 octets",
            [
                Frame.headers(
                    1, Request.get + HPACK.literal("x", String(repeating: "v", count: maximum - Request.get.count - 5)),
                    flags: 5)
            ],
            .connectionError([.frameSizeError])),
        Self(
            "4.2", "SETTINGS longer than a frame may be",
            [Frame.bytes(4, Array(repeating: 0, count: 2_736 * 6))], .connectionError([.frameSizeError])),
        Self(
            "4.2", "a frame of an unknown type that is longer than a frame may be",
            [Frame.bytes(0x42, Array(repeating: 0, count: maximum + 1))], .connectionError([.frameSizeError])),
        Self(
            "4.3", "a field block that cannot be decoded", [Frame.headers(1, [0x82, 0x87, 0x84, 0x7f], flags: 5)],
            .connectionError([.compressionError])),
        Self(
            "4.3", "PRIORITY of the same stream inside a field block",
            [Frame.headers(1, Request.get, flags: 1), Frame.priority(1)],
            .connectionError([.protocolError])),
        Self(
            "4.3", "HEADERS of another stream inside a field block",
            [Frame.headers(1, Request.get, flags: 1), Frame.headers(3, Request.get, flags: 5)],
            .connectionError([.protocolError])),
        Self(
            "4.3", "PING inside a field block", [Frame.headers(1, Request.get, flags: 1), Frame.ping()],
            .connectionError([.protocolError])),
        Self(
            "5.5", "an unknown SETTINGS identifier", [Frame.bytes(4, setting(0xf0, 1))],
            .goesOn("an ACK") { $0.contains { $0.type == Frame.settingsType && $0.flags == 1 } }),
        Self(
            "5.5", "an unknown frame between HEADERS and DATA",
            [Frame.headers(1, Request.post), Frame.bytes(0x17, stream: 1, [1]), Frame.data(1, [0x62], flags: 1)],
            .response(1, has: ["body: b"])),
        Self(
            "5.5", "an unknown frame inside a field block",
            [Frame.headers(1, Request.get, flags: 1), Frame.bytes(0x17, stream: 1, [1])],
            .connectionError([.protocolError])),
    ]

    static func setting(_ identifier: UInt16, _ value: UInt32) -> [UInt8] {
        [UInt8(identifier >> 8), UInt8(identifier & 0xff)] + Frame.number(value)
    }
}

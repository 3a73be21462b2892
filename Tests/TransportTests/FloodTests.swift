import NIOCore
import TestSupport
import Testing

@testable import Transport

/// Every kind of frame that costs a peer nothing: exactly at the allowance, and one beyond.
@Suite("Floods")
struct FloodTests {
    struct Flood: Sendable, CustomTestStringConvertible {
        var kind: String
        /// Frames that come first and are no part of it.
        var opening: [[UInt8]] = []
        var frame: @Sendable (_ index: Int) -> [UInt8]
        /// How many pass in the same instant.
        var allowance = 50
        var testDescription: String { kind }
    }

    /// The first SETTINGS of a connection count too.
    static let floods: [Flood] = [
        Flood(kind: "ping", frame: { _ in Frame.ping() }),
        Flood(kind: "ping", frame: { _ in Frame.ping(isAnswer: true) }),
        Flood(kind: "settings", frame: { _ in Frame.settings() }, allowance: 49),
        Flood(kind: "emptyData", opening: [Frame.headers(1)], frame: { _ in Frame.data(1) }),
        Flood(
            kind: "emptyData", opening: [Frame.headers(1)],
            frame: { _ in Frame.data(1, [3, 0, 0, 0], flags: Frame.padded) }),
        Flood(kind: "priority", frame: { Frame.priority(UInt32($0) * 2 + 1) }),
        Flood(kind: "windowUpdate", frame: { _ in Frame.windowUpdate(0) }),
        // Two for the stream.
        Flood(
            kind: "windowUpdate", opening: [Frame.headers(1)], frame: { _ in Frame.windowUpdate(1) }, allowance: 52),
    ]

    @Test("fifty frames of a kind pass, the next ends the connection with ENHANCE_YOUR_CALM", arguments: floods)
    func flood(flood: Flood) throws {
        var peer = try RawPeer()
        peer.send(flood.opening)
        peer.send((0..<flood.allowance).map(flood.frame))
        #expect(peer.flood == nil && peer.goAway == nil && peer.error == nil)
        peer.send([flood.frame(flood.allowance)])
        #expect(peer.flood == flood.kind)
        #expect(peer.goAway == .enhanceYourCalm)
        #expect(peer.server.isFinished)
    }

    @Test("twenty thousand in one piece are cut at the fifty-first: the rest costs no answer", arguments: floods)
    func onePiece(flood: Flood) throws {
        var peer = try RawPeer()
        peer.send(flood.opening + (0..<20_000).map(flood.frame))
        #expect(peer.flood == flood.kind)
        #expect(peer.output.readableBytes < 4_096)
    }

    @Test("frames on a stream that is gone end the connection, unknown types cost nothing, GOAWAYs are a flood")
    func leftToTheLibrary() throws {
        let opening = [Frame.headers(1), Frame.reset(1)]
        for frame in [Frame.data(1, flags: Frame.endStream), Frame.headers(1, [0x82])] {
            var peer = try RawPeer()
            peer.send(opening + (0..<1_000).map { _ in frame })
            #expect(peer.goAway != nil && peer.server.isFinished)
        }
        var peer = try RawPeer()
        peer.send((0..<20_000).map { _ in Frame.bytes(0x33, [1, 2, 3]) })
        #expect(peer.output.readableBytes < 128 && peer.events.count < 8)
        peer.send((0..<20_000).map { _ in Frame.goAway() })
        #expect(peer.flood == "goAway")
    }

    @Test("ten a second go on for ever")
    func slowly() throws {
        for flood in Self.floods {
            var peer = try RawPeer()
            peer.send(flood.opening)
            for index in 0..<300 {
                peer.now += 100
                peer.send([flood.frame(index)])
            }
            #expect(peer.flood == nil, "\(flood.kind)")
        }
    }

    @Test("requests that are taken back at once end the connection: rapid reset")
    func rapidReset() throws {
        var peer = try RawPeer()
        for index in 0..<51 {
            #expect(peer.flood == nil, "\(index)")
            let stream = UInt32(index) * 2 + 1
            peer.send([Frame.headers(stream), Frame.reset(stream)])
        }
        #expect(peer.flood == "reset" && peer.goAway == .enhanceYourCalm)
    }

    @Test("a header list may have eight CONTINUATIONs, the ninth ends the connection")
    func continuations() throws {
        for count in [8, 9] {
            var peer = try RawPeer()
            peer.send([Frame.headers(1, flags: 0)])
            peer.send((1...count).map { Frame.continuation(1, flags: $0 == count ? Frame.endHeaders : 0) })
            #expect(peer.flood == (count == 8 ? nil : "continuation"))
            #expect(peer.goAway == (count == 8 ? nil : .enhanceYourCalm))
            #expect(peer.events.contains { if case .request = $0 { true } else { false } } == (count == 8))
        }
    }

    @Test("CONTINUATIONs count over all header lists")
    func manyContinuations() throws {
        var peer = try RawPeer()
        for index in 0..<8 {
            #expect(peer.flood == nil, "\(index)")
            let stream = UInt32(index) * 2 + 1
            peer.send([Frame.headers(stream, flags: Frame.endStream)])
            peer.send((1...7).map { Frame.continuation(stream, flags: $0 == 7 ? Frame.endHeaders : 0) })
        }
        #expect(peer.flood == "continuation")
    }

    @Test("credit for the body that a peer was sent is no flood, however often it comes")
    func honestCredit() throws {
        var peer = try RawPeer()
        peer.send([Frame.headers(1, flags: Frame.endHeaders | Frame.endStream)])
        try peer.server.respond(1, HTTP2ResponseHead(status: 200), endStream: false)
        for _ in 0..<1_000 {
            peer.server.enqueue(1, ByteBuffer(repeating: 1, count: 4_096))
            peer.send([Frame.windowUpdate(0, by: 4_096), Frame.windowUpdate(1, by: 4_096)])
        }
        #expect(peer.flood == nil)
        // Without a body in between the allowance is the usual one.
        peer.send((0..<400).map { _ in Frame.windowUpdate(0) })
        #expect(peer.flood == "windowUpdate")
    }

    @Test("a browser's priorities and windows with each of many requests are no flood")
    func browser() throws {
        var peer = try RawPeer(limits: .browser)
        for index in 0..<500 {
            let stream = UInt32(index) * 2 + 1
            peer.send([
                Frame.headers(stream, flags: Frame.endHeaders | Frame.endStream), Frame.priority(stream),
                Frame.windowUpdate(stream), Frame.windowUpdate(0), Frame.bytes(0x10, [0, 0, 0, 1]),
            ])
            try peer.server.respond(Int32(stream), HTTP2ResponseHead(status: 204), endStream: true)
            peer.send([])
        }
        #expect(peer.flood == nil && peer.error == nil)
    }

    // MARK: Header bombs

    /// A literal field in HPACK, without Huffman coding: 0x40 puts it into the dynamic table.
    private func literal(_ first: UInt8, _ name: String, _ valueBytes: Int) -> [UInt8] {
        func integer(_ value: Int) -> [UInt8] {
            if value < 127 { return [UInt8(value)] }
            var (bytes, rest) = ([127] as [UInt8], value - 127)
            while rest >= 128 {
                bytes.append(UInt8(rest & 127 | 128))
                rest >>= 7
            }
            return bytes + [UInt8(rest)]
        }
        return [first] + integer(name.utf8.count) + Array(name.utf8) + integer(valueBytes)
            + [UInt8](repeating: 0x78, count: valueBytes)
    }

    /// A header list over as many frames as it needs.
    private func list(_ stream: UInt32, _ block: [UInt8]) -> [[UInt8]] {
        let pieces = stride(from: 0, to: block.count, by: 16_384).map {
            Array(block[$0..<min($0 + 16_384, block.count)])
        }
        return pieces.enumerated().map { index, piece in
            let flags = index == pieces.count - 1 ? Frame.endHeaders : 0
            return index == 0
                ? Frame.headers(stream, piece, flags: flags) : Frame.continuation(stream, piece, flags: flags)
        }
    }

    @Test("a header list of exactly 16 KiB passes, one of an octet more is reset")
    func headerListBytes() throws {
        let fixed = Frame.post.isEmpty ? 0 : (7 + 4) + (7 + 5) + (5 + 1) + (10 + 1) + 4 * 32
        for excess in [0, 1] {
            var peer = try RawPeer()
            let value = TransportLimits.node.headerListBytesMax - fixed - 1 - 32 + excess
            peer.send(list(1, Frame.post + literal(0, "x", value)))
            #expect(peer.frames.contains { $0.type == 3 && $0.stream == 1 } == (excess == 1))
            #expect(peer.events.contains { if case .request = $0 { true } else { false } } == (excess == 0))
            #expect(peer.goAway == nil)
        }
    }

    @Test("a bomb of references to one field in the table is reset after 16 KiB, the connection after fifty of them")
    func indexedBomb() throws {
        var peer = try RawPeer()
        // One field of 4,000 octets, then 12,000 references to it, an octet each: 48 MB if anybody kept them.
        let first = Frame.post + literal(0x40, "x", 3_900) + [UInt8](repeating: 0xbe, count: 12_000)
        peer.send(list(1, first))
        #expect(peer.frames.contains { $0.type == 3 && $0.stream == 1 })
        for index in 1...50 {
            #expect(peer.flood == nil, "\(index)")
            peer.send(list(UInt32(index) * 2 + 1, Frame.post + [UInt8](repeating: 0xbe, count: 12_000)))
        }
        #expect(peer.flood == "forcedReset" && peer.goAway == .enhanceYourCalm)
    }

    @Test("a table that is asked to grow beyond 4 KiB, and a field of 128 KiB, end stream or connection")
    func largeTableAndField() throws {
        var peer = try RawPeer()
        // Dynamic table size update to 1 MiB (RFC 7541 §6.3).
        peer.send([Frame.headers(1, [0x3f, 0xe1, 0xff, 0x3f] + Frame.post)])
        #expect(peer.goAway == HTTP2ErrorCode(rawValue: 9))
        peer = try RawPeer()
        peer.send(list(1, Frame.post + literal(0, "x", 120_000)))
        #expect(peer.goAway != nil || peer.frames.contains { $0.type == 3 && $0.stream == 1 })
        #expect(!peer.events.contains { if case .request = $0 { true } else { false } })
    }

    @Test("a frame of 16 KiB passes, a longer one ends the connection")
    func frameBytes() throws {
        var peer = try RawPeer()
        peer.send([Frame.headers(1), Frame.data(1, [UInt8](repeating: 1, count: 16_384))])
        #expect(peer.goAway == nil)
        peer.send([Frame.data(1, [UInt8](repeating: 1, count: 16_385))])
        #expect(peer.goAway == HTTP2ErrorCode(rawValue: 6))
    }

    @Test("sixteen streams are open, a browser's sixty-four, the next is refused", arguments: [false, true])
    func streams(isBrowser: Bool) throws {
        var peer = try RawPeer(limits: isBrowser ? .browser : .node)
        let countMax = isBrowser ? 64 : 16
        peer.send((0..<countMax).map { Frame.headers(UInt32($0) * 2 + 1) })
        #expect(!peer.frames.contains { $0.type == 3 })
        let next = UInt32(countMax) * 2 + 1
        peer.send([Frame.headers(next)])
        #expect(peer.frames.contains { $0.type == 3 && $0.stream == next && $0.payload == [0, 0, 0, 7] })
        #expect(peer.server.openStreamCount == countMax && peer.goAway == nil)
    }

    @Test("a stream's window may be used up, an octet more is an error", arguments: [TransportLimits.node, .browser])
    func window(limits: TransportLimits) throws {
        var peer = try RawPeer(limits: limits)
        // The window that SETTINGS announce holds once they are acknowledged.
        peer.send([Frame.bytes(4, flags: 1), Frame.headers(1)])
        let piece = Frame.data(1, [UInt8](repeating: 1, count: 16_384))
        for _ in 0..<limits.streamWindowBytes / 16_384 { peer.send([piece]) }
        #expect(peer.goAway == nil && !peer.frames.contains { $0.type == 3 })
        peer.send([Frame.data(1, [1])])
        #expect(
            peer.goAway == .flowControlError || peer.frames.contains { $0.type == 3 && $0.payload == [0, 0, 0, 3] })
    }
}

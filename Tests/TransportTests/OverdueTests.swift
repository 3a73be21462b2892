import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import Transport

/// Peers that are slow on purpose, under a clock of the test's own.
@Suite("What a peer owes")
struct OverdueTests {
    private let limits = TransportLimits.node

    @Test("a header list may take ten seconds; what is complete, refused or reset is owed no more")
    func headers() throws {
        var peer = try RawPeer()
        peer.send([Frame.headers(1, flags: 0)])
        #expect(peer.server.isOwedByPeer)
        let start = peer.now
        peer.now = start + limits.headersMilliseconds - 1
        peer.send([Frame.continuation(1)])
        #expect(peer.server.overdue(nowMilliseconds: peer.now).isEmpty)
        #expect(peer.server.overdue(nowMilliseconds: start + limits.headersMilliseconds) == [.headers])
        peer.send([Frame.continuation(1, flags: Frame.endHeaders)])
        #expect(peer.server.overdue(nowMilliseconds: .max / 2).isEmpty)
        // A field in capitals: nghttp2 resets the stream and nobody is told of the list.
        peer.send([Frame.headers(3, Frame.post + [0, 1, 0x58, 1, 0x78])])
        #expect(peer.server.overdue(nowMilliseconds: .max / 2).isEmpty)
        peer.send([Frame.headers(5, flags: 0), Frame.ping()])
        #expect(peer.goAway != nil)
    }

    @Test("a header whose octets come one by one is seen from its first")
    func trickle() throws {
        var peer = try RawPeer()
        let frame = Frame.headers(1)
        peer.send([Array(frame.prefix(9))])
        let start = peer.now
        for octet in frame.dropFirst(9).dropLast() {
            peer.now += 2_000
            peer.send([[octet]])
        }
        #expect(peer.server.overdue(nowMilliseconds: start + limits.headersMilliseconds) == [.headers])
    }

    @Test("a browser's request may take a minute for its body, a node's stream any time")
    func body() throws {
        var browser = try RawPeer(limits: .browser)
        browser.send([Frame.headers(1), Frame.headers(3)])
        let end = browser.now + TransportLimits.browser.bodyMilliseconds
        browser.now = end - 1
        browser.send([Frame.data(1, [1]), Frame.data(3, [1], flags: Frame.endStream)])
        #expect(browser.server.overdue(nowMilliseconds: end - 1).isEmpty)
        #expect(browser.server.overdue(nowMilliseconds: end) == [.body(streamID: 1)])
        var node = try RawPeer()
        node.send([Frame.headers(1)])
        #expect(!node.server.isOwedByPeer)
        #expect(node.server.overdue(nowMilliseconds: .max / 2).isEmpty)
    }

    @Test("bytes that nobody takes are overdue after the stall's time, a reader that goes on is not, a trickle is")
    func stall() throws {
        var peer = try RawPeer()
        peer.send([Frame.headers(1, flags: Frame.endHeaders | Frame.endStream)])
        try peer.server.respond(1, HTTP2ResponseHead(status: 200), endStream: false)
        peer.server.enqueue(1, ByteBuffer(repeating: 1, count: 200_000))
        peer.send([])
        // The peer's window of 64 KiB is used up.
        let start = peer.now
        let stall = limits.stallMilliseconds
        #expect(peer.server.isOwedByPeer)
        #expect(peer.server.overdue(nowMilliseconds: start).isEmpty)
        #expect(peer.server.overdue(nowMilliseconds: start + stall - 1).isEmpty)
        peer.send([Frame.windowUpdate(0, by: 1_024), Frame.windowUpdate(1, by: 1_024)])
        #expect(peer.server.overdue(nowMilliseconds: start + stall).isEmpty)
        for _ in 0..<10 { peer.send([Frame.windowUpdate(0), Frame.windowUpdate(1)]) }
        #expect(peer.server.overdue(nowMilliseconds: start + 2 * stall - 1).isEmpty)
        #expect(peer.server.overdue(nowMilliseconds: start + 2 * stall) == [.reading(streamID: 1)])
        peer.send([Frame.windowUpdate(0, by: 200_000), Frame.windowUpdate(1, by: 200_000)])
        #expect(peer.server.overdue(nowMilliseconds: start + 9 * stall).isEmpty)
        #expect(!peer.server.isOwedByPeer)
    }

    @Test("looks are frequent enough for every limit", arguments: [TransportLimits.node, .browser])
    func looks(limits: TransportLimits) {
        #expect(limits.overdueLookMilliseconds * 8 <= limits.headersMilliseconds)
        #expect(limits.overdueLookMilliseconds * 8 <= limits.stallMilliseconds)
    }
}

@Suite("Bounds of a listener, without sockets")
struct AdmissionTests {
    @Test("with one handshake too many the host that has most loses its oldest")
    func displacing() {
        var waiting = WaitingHandshakes<Int>()
        #expect(waiting.add(1, from: "honest", countMax: 4) == nil)
        for id in 2...4 { #expect(waiting.add(id, from: "flood", countMax: 4) == nil) }
        #expect(waiting.add(5, from: "flood", countMax: 4) == 2)
        #expect(waiting.add(6, from: "other", countMax: 4) == 3)
        // Now two, one and one: still the flood's.
        #expect(waiting.add(7, from: "other", countMax: 4) == 4)
        #expect(waiting.count == 4)
        waiting.remove(1, from: "honest")
        waiting.remove(1, from: "honest")
        waiting.remove(9, from: "nobody")
        #expect(waiting.count == 3)
        #expect(waiting.add(8, from: "third", countMax: 4) == nil)
    }

    @Test("among hosts with one each, who has waited longest goes")
    func manyHosts() {
        var waiting = WaitingHandshakes<Int>()
        for id in 0..<256 { #expect(waiting.add(id, from: "h\(id)", countMax: 256) == nil) }
        for id in 256..<1_000 { #expect(waiting.add(id, from: "h\(id)", countMax: 256) == id - 256) }
        #expect(waiting.count == 256)
    }

    @Test("after a flood a certificate is refused for a minute, late; others and later ones are not")
    func penalty() {
        let limits = TransportLimits.node
        let registry = ConnectionRegistry(limits: limits)
        registry.punish(fingerprint: "bad", nowMilliseconds: 1_000)
        let end = 1_000 + limits.floodPenaltyMilliseconds
        guard
            case .refused(_, limits.refusalDelayMilliseconds) = registry.admit(
                fingerprint: "bad", nowMilliseconds: end - 1)
        else { return #expect(Bool(false), "admitted") }
        #expect(registry.admit(fingerprint: "good", nowMilliseconds: end - 1) == .admitted)
        #expect(registry.admit(fingerprint: "bad", nowMilliseconds: end) == .admitted)
    }

    @Test("two connections with a certificate, and a third after one has gone")
    func perCertificate() {
        let registry = ConnectionRegistry(limits: .node)
        for _ in 0..<2 { #expect(registry.admit(fingerprint: "a", nowMilliseconds: 0) == .admitted) }
        guard case .refused(_, 0) = registry.admit(fingerprint: "a", nowMilliseconds: 0) else {
            return #expect(Bool(false), "admitted")
        }
        registry.release(fingerprint: "a")
        #expect(registry.admit(fingerprint: "a", nowMilliseconds: 0) == .admitted)
    }

    @Test("of very many penalties the one that is over first is forgotten")
    func penalties() {
        let registry = ConnectionRegistry(limits: .node)
        for index in 0...ConnectionRegistry.penaltiesMax {
            registry.punish(fingerprint: "\(index)", nowMilliseconds: Int64(index))
        }
        let now = Int64(ConnectionRegistry.penaltiesMax)
        #expect(registry.admit(fingerprint: "0", nowMilliseconds: now) == .admitted)
        #expect(registry.admit(fingerprint: "1", nowMilliseconds: now) != .admitted)
    }

    @Test("of a thousand refusals in a second fifty are logged, and the next line counts the rest")
    func refusalLog() {
        let counter = CountingLogHandler.Counter()
        let log = RefusalLog(CountingLogHandler.logger(counter))
        for _ in 0..<1_000 { log.write(remote: "a", reason: .applicationProtocolMissing, nowMilliseconds: 5) }
        #expect(counter.lines.withLock { $0.count } == RefusalLog.linesMax)
        log.write(remote: "a", reason: .applicationProtocolMissing, nowMilliseconds: 1_005)
        #expect(counter.lines.withLock { $0.last?["omitted"] } == "\(1_000 - RefusalLog.linesMax)")
    }
}

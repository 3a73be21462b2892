import NIOCore
import TestSupport
import Testing

@testable import Transport

@Suite("Stream state")
struct HTTP2StreamStateTests {
    private func bytes(_ count: Int) -> ByteBuffer { ByteBuffer(repeating: 1, count: count) }

    private func read(_ state: inout HTTP2StreamState, manual: Bool = false) -> Int? {
        if case .ready(let buffer?) = state.read(isManual: manual) { buffer.readableBytes } else { nil }
    }

    @Test("automatic reading returns the credit of what was handed out, once nothing is left or much was read")
    func automatic() {
        var state = HTTP2StreamState(role: .server, limits: .node)
        #expect(state.received(bytes(10_000)) == 0)
        #expect(state.received(bytes(20_000)) == 0)
        #expect(read(&state) == 10_000)
        #expect(state.takeCredit() == 0)
        #expect(read(&state) == 20_000)
        #expect(state.takeCredit() == 30_000)
        #expect(state.takeCredit() == 0)
        #expect(state.settle() == 0)
    }

    @Test("manual reading returns credit when told and once it is much, and what is left when the stream is given up")
    func manual() {
        var state = HTTP2StreamState(role: .server, limits: .node)
        _ = state.received(bytes(5_000))
        _ = state.received(bytes(6_000))
        #expect(read(&state, manual: true) == 5_000)
        #expect(state.takeCredit() == 0)
        #expect(state.consume(bytes: 2_000) == 0)
        _ = state.received(bytes(70_000))
        #expect(read(&state, manual: true) == 6_000)
        #expect(read(&state, manual: true) == 70_000)
        #expect(state.consume(bytes: 69_000) == 71_000)
        #expect(state.consume(bytes: 1_000) == 0)
        #expect(state.settle() == 10_000)
        #expect(state.consume(bytes: 3_000) == 0)
        #expect(state.received(bytes(7)) == 7)
        #expect(state.settle() == 0)
    }

    @Test("small pieces are joined")
    func joining() {
        var state = HTTP2StreamState(role: .server, limits: .node)
        for _ in 0..<100 { _ = state.received(bytes(3)) }
        #expect(read(&state) == 300)
    }

    @Test("every byte's credit is returned exactly once, whatever happens", arguments: 0..<100)
    func conservation(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var state = HTTP2StreamState(role: .server, limits: .node)
        var received = 0
        var returned = 0
        var handedOut = 0
        for _ in 0..<200 {
            switch generator.next() % 6 {
            case 0, 1:
                let count = Int(generator.next() % 9_000)
                received += count
                returned += state.received(bytes(count))
            case 2: _ = read(&state)
            case 3: if !state.isDiscarding { handedOut += read(&state, manual: true) ?? 0 }
            case 4:
                let count = handedOut == 0 ? 0 : Int(generator.next() % UInt64(handedOut))
                returned += state.consume(bytes: count)
                handedOut -= count
            default: returned += generator.next() % 60 == 0 ? state.settle() : state.takeCredit()
            }
        }
        returned += state.closed(.streamReset(code: .cancel, byPeer: true))
        returned += state.settle()
        #expect(returned == received)
    }

    @Test("a reset fails the reader and the writers; a clean end leaves what was received")
    func ends() throws {
        var state = HTTP2StreamState(role: .client, limits: .node)
        _ = state.received(bytes(10))
        let error = TransportError.streamReset(code: .cancel, byPeer: true)
        #expect(state.closed(error) == 10)
        if case .failed(let shown) = state.read(isManual: false) { #expect(shown == error) } else { Issue.record() }
        #expect(throws: error) { try state.write(bytes(1)) }

        var clean = HTTP2StreamState(role: .client, limits: .node, endStream: true)
        _ = clean.received(bytes(10))
        clean.receivedEnd(trailers: [])
        #expect(clean.closed(.streamReset(code: .noError, byPeer: false)) == 0)
        #expect(read(&clean) == 10)
        if case .ready(nil) = clean.read(isManual: false) {} else { Issue.record("no end") }
    }

    @Test("a writer waits above the limit and goes on at half of it")
    func backPressure() throws {
        var limits = TransportLimits.node
        limits.writeQueueBytesMax = 100
        var state = HTTP2StreamState(role: .client, limits: limits)
        #expect(try state.write(bytes(100)))
        if case .ready = state.writable(wasWaiting: false) {} else { Issue.record("waits at the limit") }
        // A second command before the first was taken needs no second call to the connection.
        #expect(try !state.write(bytes(1)))
        #expect(state.takeCommands().count == 2)
        if case .wait = state.writable(wasWaiting: false) {} else { Issue.record("goes on above the limit") }
        state.sent(bytes: 50)
        if case .wait = state.writable(wasWaiting: true) {} else { Issue.record("goes on too early") }
        state.sent(bytes: 1)
        if case .ready = state.writable(wasWaiting: true) {} else { Issue.record("waits at half") }
    }

    @Test("the order of head, body and end is kept")
    func order() throws {
        var state = HTTP2StreamState(role: .server, limits: .node)
        #expect(throws: TransportError.self) { try state.write(bytes(1)) }
        #expect(throws: TransportError.self) { try state.finish(trailers: []) }
        _ = try state.respond(HTTP2ResponseHead(status: 200), endStream: false)
        #expect(throws: TransportError.self) { try state.respond(HTTP2ResponseHead(status: 200), endStream: false) }
        _ = try state.finish(trailers: [])
        #expect(try state.finish(trailers: []) == false)
        #expect(throws: TransportError.self) { try state.write(bytes(1)) }
    }
}

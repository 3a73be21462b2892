import NIOCore
import TestSupport
import Transport

/// One burst of malformed frames at a session without a socket, and what has to hold of it.
struct FrameBurst {
    struct Violation: Error, CustomStringConvertible {
        let description: String
    }

    /// So many zeros end every connection: whatever frame was under way is complete, and then comes DATA on stream 0.
    static let zeros = Array(repeating: UInt8(0), count: 16_384 + 2 * 9)
    /// What a frame may cost in answers: a head, a body of `answerBytes`, a reset, and as much again.
    private static let outputBytesMax = 256
    private static let answerBytes = 64
    /// A stream that no burst uses.
    private static let probe: UInt32 = 1 << 30 | 1

    let seed: UInt64
    private(set) var frameCount = 0
    /// Of the GOAWAY in the middle of the burst; nil if the connection outlasted it.
    private(set) var ending: HTTP2ErrorCode?
    private var generator: FrameGenerator
    private let session: HTTP2Session
    private var output = ByteBuffer()
    private var now: Int64 = 1_000
    private var hasFailed = false

    init(seed: UInt64) throws {
        self.seed = seed
        generator = FrameGenerator(seed: seed)
        session = try HTTP2Session(role: .server, limits: .node)
    }

    /// - Throws: `Violation`.
    mutating func run() throws {
        let pieces = generator.burst()
        var index = 0
        while index < pieces.count, !isOver {
            let count = min(pieces.count - index, generator.size(most: 6))
            frameCount += count
            try feed(pieces[index..<index + count].flatMap { $0 })
            index += count
        }
        let limit = Self.outputBytesMax * (frameCount + 4)
        guard output.readableBytes <= limit else {
            throw Violation(description: "\(output.readableBytes) bytes were said to \(frameCount) frames")
        }
        if isOver { ending = goAway } else if generator.isFramed { try probe() }
        if !isOver { try feed(Self.zeros) }
        guard isOver, isGoingAway else { throw Violation(description: "no end, or one without GOAWAY") }
    }

    private var isOver: Bool { hasFailed || session.isFinished }

    private var goAway: HTTP2ErrorCode? {
        Frame.all(in: output).last { $0.type == Frame.goAwayType }.map { HTTP2ErrorCode(rawValue: $0.number(at: 4)) }
    }

    /// A connection that has outlasted all that answers a PING, and a request, if only by refusing it.
    private mutating func probe() throws {
        let said = Frame.all(in: output).count
        try feed(
            Frame.bytes(Frame.pingType, Array("are you?".utf8)) + Frame.headers(Self.probe, Request.get, flags: 5)
                + Frame.windowUpdate(0, by: 1))
        let answers = Frame.all(in: output).dropFirst(said)
        let isAlive =
            answers.contains { $0.type == Frame.pingType && $0.flags == 1 && $0.payload == Array("are you?".utf8) }
            && answers.contains { $0.stream == Self.probe }
        guard isOver || isAlive || isGoingAway else {
            throw Violation(description: "a connection that goes on and does not answer")
        }
    }

    /// After GOAWAY from either side new streams are left alone.
    private var isGoingAway: Bool { goAway != nil || hasReceivedGoAway }
    private var hasReceivedGoAway = false

    /// In pieces of any size; after each one the server does what a handler might.
    private mutating func feed(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty, !isOver {
            let piece = rest.prefix(generator.chance(3) ? generator.size(most: 30) : rest.count)
            rest = rest.dropFirst(piece.count)
            now += 20
            do throws(TransportError) {
                try session.receive(ByteBuffer(bytes: piece), nowMilliseconds: now)
            } catch {
                hasFailed = true
            }
            for event in session.takeEvents() { try handle(event) }
            while let more = try? session.produceOutput(limitBytes: 65_536, nowMilliseconds: now) {
                output.writeImmutableBuffer(more)
            }
            _ = session.takeEvents()
            guard session.openStreamCount <= TransportLimits.node.streamsMax else {
                throw Violation(description: "\(session.openStreamCount) streams are open")
            }
        }
    }

    private mutating func handle(_ event: HTTP2Event) throws {
        switch event {
        case .request(let id, let head):
            guard head.path.hasPrefix("/") || head.path == "*" || head.method == "CONNECT" else {
                throw Violation(description: "a request for \(head.path) was let through")
            }
            answer(id)
        case .data(let id, let bytes): session.consume(id, bytes: bytes.readableBytes)
        case .goAway: hasReceivedGoAway = true
        default: break
        }
    }

    private mutating func answer(_ id: Int32) {
        if UInt32(id) != Self.probe {
            if generator.chance(8) { return session.reset(id, code: .cancel) }
            if generator.chance(8) { return }
        }
        try? session.respond(id, HTTP2ResponseHead(status: 200), endStream: false)
        session.enqueue(id, ByteBuffer(repeating: 0x61, count: Self.answerBytes))
        session.finish(id)
    }
}

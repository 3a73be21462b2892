package import NIOCore
import Synchronization

/// One exchange on a connection, from either side: a head each way, a body each way.
///
/// One task reads; any number may write. Whoever opened it (or the server, when its handler returns) ends it: a stream
/// that is let go unfinished is reset. Reading and writing throw `CancellationError` when their task is cancelled;
/// bytes that a cancelled `write` had handed over are sent all the same.
package final class HTTP2Stream: Sendable {
    let core: HTTP2StreamCore

    /// The request, received by a server or sent by a client.
    package let requestHead: HTTP2RequestHead

    /// A dialled connection lives as long as one of its streams. Nil for a server's stream, which ends when the handler
    /// returns and not when the last reference goes.
    private let connection: HTTP2Connection?

    init(core: HTTP2StreamCore, requestHead: HTTP2RequestHead, connection: HTTP2Connection?) {
        self.core = core
        self.requestHead = requestHead
        self.connection = connection
    }

    deinit { if connection != nil { core.abandon() } }

    /// Number within its connection.
    package var id: Int32 { core.id }

    // MARK: Reading

    /// The peer's body; each buffer's credit goes back when it is handed out. Iterate once.
    ///
    /// Ends with nil, or throws `TransportError.streamReset` or `.connectionClosed` if the body is not complete.
    package var body: HTTP2Body { HTTP2Body(core: core) }

    /// What `take` finds.
    package enum Piece: Sendable {
        /// More may come.
        case nothing
        /// Never an empty buffer.
        case bytes(ByteBuffer)
        /// The body is complete.
        case end
    }

    /// For a reader that no task is to wait for: from now on `listener` is called whenever `take` would find something,
    /// at once if it would now. Nil ends that.
    ///
    /// It is called where the connection is served, maybe several times for one piece: it must not block.
    package func whenReadable(_ listener: (@Sendable () -> Void)?) { core.whenReadable(listener) }

    /// The next piece of the peer's body, for one reader in the place of `body`; waits for nothing and gives no credit
    /// back: the peer stops when the window is full, until `consume(bytes:)`.
    /// - Throws: `.streamReset` or `.connectionClosed` if the body is not complete and nothing is left of it.
    package func take() throws(TransportError) -> Piece { try core.take() }

    /// Gives back credit for bytes that `take` handed out, when they are safely stored.
    ///
    /// Never more than were handed out: that traps. After the stream's end it does nothing.
    package func consume(bytes: Int) { core.consume(bytes: bytes) }

    /// What followed the peer's body; empty before its end.
    package var trailers: [HTTP2Header] { core.withState { $0.trailers } }

    /// The head of the answer (client). Waits for it.
    package var responseHead: HTTP2ResponseHead {
        get async throws { try await core.responseHead() }
    }

    /// Reads what is left of the body, up to a bound.
    /// - Throws: `TransportError.streamState` if there is more than `bytesMax`.
    package func collect(bytesMax: Int) async throws -> ByteBuffer {
        var whole = ByteBuffer()
        for try await part in body {
            guard whole.readableBytes + part.readableBytes <= bytesMax else {
                throw TransportError.streamState("the body is longer than \(bytesMax) bytes")
            }
            whole.writeImmutableBuffer(part)
        }
        return whole
    }

    // MARK: Writing

    /// Sends the head of the answer (server), once and before any body. Does not wait.
    package func respond(_ head: HTTP2ResponseHead, endStream: Bool = false) throws {
        try core.command { state throws(TransportError) in try state.respond(head, endStream: endStream) }
    }

    /// Sends a whole answer. Does not wait, so keep it to bodies that may stay in memory.
    package func respond(_ head: HTTP2ResponseHead, body: ByteBuffer) throws {
        guard body.readableBytes > 0 else { return try respond(head, endStream: true) }
        try core.command { state throws(TransportError) in
            let first = try state.respond(head, endStream: false)
            _ = try state.write(body)
            _ = try state.finish(trailers: [])
            return first
        }
    }

    /// Sends a piece of the body. Returns when no more than `TransportLimits.writeQueueBytesMax` are waiting.
    /// - Throws: `TransportError.streamReset`, `.connectionClosed`, `.streamState`, or `CancellationError`.
    package func write(_ bytes: ByteBuffer) async throws { try await core.write(bytes) }

    /// Ends the body. Does not wait; a second call does nothing.
    package func finish(trailers: [HTTP2Header] = []) throws {
        try core.command { state throws(TransportError) in try state.finish(trailers: trailers) }
    }

    /// Ends the stream in both directions at once.
    package func reset(_ code: HTTP2ErrorCode = .cancel) { core.reset(code) }

    /// Round trip of a PING on the stream's connection: tells a slow peer from a dead one.
    package func ping() async throws -> Duration { try await core.link.ping() }
}

/// A body as a sequence of buffers, never empty ones.
package struct HTTP2Body: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer
    let core: HTTP2StreamCore

    package struct AsyncIterator: AsyncIteratorProtocol {
        let core: HTTP2StreamCore

        package mutating func next() async throws -> ByteBuffer? { try await core.read() }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(core: core) }
}

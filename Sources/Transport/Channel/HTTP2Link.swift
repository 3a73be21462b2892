import NIOCore

/// The way from any task to a connection's handler on its event loop.
struct HTTP2Link: Sendable {
    let eventLoop: any EventLoop
    private let handler: NIOLoopBound<HTTP2Handler>

    init(_ handler: HTTP2Handler, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.handler = NIOLoopBound(handler, eventLoop: eventLoop)
    }

    /// Runs on the event loop: now if this is it, otherwise soon.
    func execute(_ body: @escaping @Sendable (HTTP2Handler) -> Void) {
        if eventLoop.inEventLoop { return body(handler.value) }
        eventLoop.execute { body(handler.value) }
    }

    func consume(_ streamID: Int32, bytes: Int) {
        execute { $0.consume(streamID, bytes: bytes) }
    }

    func drain(_ stream: HTTP2StreamCore) {
        execute { $0.drain(stream) }
    }

    func ping() async throws -> Duration {
        let promise = eventLoop.makePromise(of: Duration.self)
        execute { $0.ping(promise) }
        return try await promise.futureResult.get()
    }

    func open(_ head: HTTP2RequestHead, endStream: Bool) async throws -> HTTP2StreamCore {
        let promise = eventLoop.makePromise(of: HTTP2StreamCore.self)
        execute { handler in
            promise.completeWith(Result { try handler.open(head, endStream: endStream) })
        }
        return try await promise.futureResult.get()
    }

    /// The handler of a stream came to its end.
    func release(_ stream: HTTP2StreamCore) {
        execute { $0.release(stream) }
    }

    func beginShutdown(limitMilliseconds: Int64) {
        execute { $0.beginShutdown(limitMilliseconds: limitMilliseconds) }
    }

    func cut(_ error: TransportError) {
        execute { $0.cut(error) }
    }
}

import CNGHTTP2
package import NIOCore

/// What an `HTTP2Session` has to tell, in the order in which it happened.
package enum HTTP2Event: Sendable, Equatable {
    /// A peer opened a stream (server).
    case request(streamID: Int32, HTTP2RequestHead)
    /// The final answer's head (client).
    case response(streamID: Int32, HTTP2ResponseHead)
    /// Body. Each byte must be given back through `consume` exactly once.
    case data(streamID: Int32, ByteBuffer)
    /// The peer's side of the stream is complete.
    case end(streamID: Int32, trailers: [HTTP2Header])
    /// Body of ours left for the wire.
    case sent(streamID: Int32, bytes: Int)
    /// The stream is gone; after this its number means nothing.
    case closed(streamID: Int32, code: HTTP2ErrorCode, byPeer: Bool)
    /// The peer's SETTINGS.
    case settings
    /// The answer to `ping`.
    case pong(UInt64)
    /// The peer takes no new streams.
    case goAway(code: HTTP2ErrorCode, debug: String)
    /// This side ended the connection because of a flood.
    case flood(kind: String)
}

/// One HTTP/2 connection without I/O and without a clock: bytes in, events and bytes out.
///
/// Call order: any of the commands and `receive`; then `takeEvents` and `produceOutput` until it gives nothing.
/// Flow control is by hand: the peer may send more only when `consume` is called.
/// nghttp2 must not be entered from its own callbacks; `enter` traps on it. Not Sendable.
package final class HTTP2Session {
    /// Marks the PING that tells whether a peer has seen the shutdown notice.
    static let shutdownPing: UInt64 = 0x5348_5554_444f_574e

    let role: TLSRole
    let limits: TransportLimits
    var streams: [Int32: Outbound] = [:]
    var events: [HTTP2Event] = []
    var output = ByteBuffer()
    var outputLimit = 0
    var nowMilliseconds: Int64 = 0
    var floods: FloodCounters
    var input = ByteBuffer()
    var inputBase: UnsafeRawPointer?
    /// The header list that is being received, and since when.
    var headersUnderWay: (streamID: Int32, sinceMilliseconds: Int64)?
    var clientStreams = ClientStreams()
    /// PINGs of ours that have not been answered.
    var pingsUnderWay = 0
    private var pointer: OpaquePointer!
    private var isInsideLibrary = false
    private let memory = HTTP2Memory()
    private(set) var isTerminated = false

    /// One stream as the session sees it.
    struct Outbound {
        var queue = CircularBuffer<ByteBuffer>(initialCapacity: 4)
        var queuedBytes = 0
        var isEnded = false
        var isDeferred = false
        /// Whether the layer above knows of the stream.
        var isAnnounced = false
        var isResetByPeer = false
        var isResetHere = false
        var fields: [HTTP2Header] = []
        var fieldBytes = 0
        var pendingTrailers: [HTTP2Header] = []
        /// Since when the body of a request is under way.
        var bodySinceMilliseconds: Int64?
        /// Since when `queue` has not moved on, as far as a look has seen it, and what has left since then.
        var stalledSinceMilliseconds: Int64?
        var progressBytes = 0
    }

    /// - Throws: `TransportError.protocolViolation` if nghttp2 has no memory. Queues the preface and SETTINGS.
    package init(role: TLSRole, limits: TransportLimits) throws(TransportError) {
        self.role = role
        self.limits = limits
        floods = FloodCounters(limits: limits)
        var options: OpaquePointer?
        nghttp2_option_new(&options)
        defer { nghttp2_option_del(options) }
        nghttp2_option_set_no_auto_window_update(options, 1)
        nghttp2_option_set_peer_max_concurrent_streams(options, UInt32(limits.streamsMax))
        nghttp2_option_set_max_continuations(options, limits.continuationsMax)
        let me = Unmanaged.passUnretained(self).toOpaque()
        let made = memory.withCallbacks { memory in
            role == .server
                ? nghttp2_session_server_new3(&pointer, sessionCallbacks.pointer, me, options, memory)
                : nghttp2_session_client_new3(&pointer, sessionCallbacks.pointer, me, options, memory)
        }
        guard made == 0 else { throw Self.failure(made) }
        try submitSettings()
    }

    deinit {
        precondition(!isInsideLibrary, "a session ends in its own callback")
        nghttp2_session_del(pointer)
    }

    private func submitSettings() throws(TransportError) {
        var entries = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue), value: UInt32(limits.streamsMax)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue),
                value: UInt32(limits.streamWindowBytes)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_FRAME_SIZE.rawValue), value: UInt32(limits.frameBytesMax)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
                value: UInt32(limits.headerListBytesMax)),
        ]
        if role == .client {
            entries[0] = nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_ENABLE_PUSH.rawValue), value: 0)
        }
        try check(nghttp2_submit_settings(pointer, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count))
        try check(nghttp2_session_set_local_window_size(pointer, 0, 0, Int32(limits.connectionWindowBytes)))
    }

    // MARK: Inputs

    /// Takes bytes from the wire. O(bytes); bodies are slices of `bytes`, not copies.
    /// - Parameter nowMilliseconds: of any clock that only goes forward.
    /// - Throws: `.protocolViolation`; a GOAWAY is in the output then. `.flood` shows as an event.
    package func receive(_ bytes: ByteBuffer, nowMilliseconds: Int64) throws(TransportError) {
        self.nowMilliseconds = nowMilliseconds
        input = bytes
        let result = enter {
            bytes.withUnsafeReadableBytes { raw in
                inputBase = raw.baseAddress
                return nghttp2_session_mem_recv(
                    pointer, raw.bindMemory(to: UInt8.self).baseAddress, raw.count)
            }
        }
        inputBase = nil
        input = ByteBuffer()
        // What follows a flood in the same bytes is left unread; the flood itself is an event.
        if result >= 0 || isTerminated { return }
        if result == Int(NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue) { return endFlood(.continuation) }
        terminate(code: .protocolError)
        throw Self.failure(Int32(result))
    }

    /// What happened since the last call.
    package func takeEvents() -> [HTTP2Event] {
        if events.isEmpty { return [] }
        defer { events = [] }
        return events
    }

    /// Bytes for the wire: at most `limitBytes`, exceeded by no more than one frame; nil if there are none.
    ///
    /// Call it only while the wire takes bytes: what stays inside is what pushes back on the writers.
    package func produceOutput(limitBytes: Int, nowMilliseconds: Int64) throws(TransportError) -> ByteBuffer? {
        self.nowMilliseconds = nowMilliseconds
        outputLimit = limitBytes
        var failure: Int32 = 0
        enter {
            while output.readableBytes < limitBytes {
                var piece: UnsafePointer<UInt8>?
                let count = nghttp2_session_mem_send(pointer, &piece)
                if count < 0 { failure = Int32(count) }
                guard count > 0, let piece else { break }
                output.writeBytes(UnsafeRawBufferPointer(start: piece, count: count))
            }
        }
        if failure != 0 { throw Self.failure(failure) }
        if output.readableBytes == 0 { return nil }
        defer { output = ByteBuffer() }
        return output
    }

    // MARK: Commands

    /// Opens a stream (client). - Throws: `.goAway` once the connection takes no more.
    package func open(_ head: HTTP2RequestHead, endStream: Bool) throws(TransportError) -> Int32 {
        let id = withFields(head.fields) { fields, count in
            if endStream { return nghttp2_submit_request(pointer, nil, fields, count, nil, nil) }
            var provider = makeProvider()
            return nghttp2_submit_request(pointer, nil, fields, count, &provider, nil)
        }
        guard id > 0 else { throw .goAway(code: .noError, debug: Self.text(id)) }
        var stream = Outbound()
        stream.isAnnounced = true
        stream.isEnded = endStream
        streams[id] = stream
        floods.openedStream()
        return id
    }

    /// Answers (server). Does nothing if the stream is gone.
    package func respond(_ streamID: Int32, _ head: HTTP2ResponseHead, endStream: Bool) throws(TransportError) {
        guard streams[streamID] != nil else { return }
        streams[streamID]?.isEnded = endStream
        let result = withFields(head.fields) { fields, count in
            if endStream { return nghttp2_submit_response(pointer, streamID, fields, count, nil) }
            var provider = makeProvider()
            return nghttp2_submit_response(pointer, streamID, fields, count, &provider)
        }
        try check(result)
    }

    /// Queues body. Does nothing if the stream is gone.
    package func enqueue(_ streamID: Int32, _ bytes: ByteBuffer) {
        guard streams[streamID] != nil, bytes.readableBytes > 0 else { return }
        streams[streamID]!.queue.append(bytes)
        streams[streamID]!.queuedBytes += bytes.readableBytes
        resume(streamID)
    }

    /// Ends the body, with trailers if there are any.
    package func finish(_ streamID: Int32, trailers: [HTTP2Header] = []) {
        guard streams[streamID] != nil else { return }
        streams[streamID]!.isEnded = true
        streams[streamID]!.pendingTrailers = trailers
        resume(streamID)
    }

    /// Ends the stream at once, in both directions.
    package func reset(_ streamID: Int32, code: HTTP2ErrorCode) {
        guard streams[streamID] != nil else { return }
        streams[streamID]!.isResetHere = true
        nghttp2_submit_rst_stream(pointer, UInt8(NGHTTP2_FLAG_NONE.rawValue), streamID, code.rawValue)
    }

    /// Gives back the credit for bytes that came as `.data`, also of a stream that is gone.
    package func consume(_ streamID: Int32, bytes: Int) {
        if bytes > 0 { nghttp2_session_consume(pointer, streamID, bytes) }
    }

    /// Asks for a sign of life; the answer is the event `.pong` with the same number.
    package func ping(_ opaque: UInt64) {
        pingsUnderWay += 1
        withUnsafeBytes(of: opaque.bigEndian) { raw in
            _ = nghttp2_submit_ping(
                pointer, UInt8(NGHTTP2_FLAG_NONE.rawValue), raw.bindMemory(to: UInt8.self).baseAddress)
        }
    }

    /// Ends gracefully: running streams finish, then `isFinished`.
    ///
    /// A server first says that it will go, and names the last stream only when the answer to a PING shows that the
    /// client has read this; a request that was under way is not lost.
    package func beginShutdown() {
        if role == .client { return submitGoAway(.noError, debug: "") }
        nghttp2_submit_shutdown_notice(pointer)
        ping(Self.shutdownPing)
    }

    /// GOAWAY with a reason, then nothing more is read or written.
    package func terminate(code: HTTP2ErrorCode, debug: String = "") {
        if isTerminated { return }
        isTerminated = true
        if !debug.isEmpty { submitGoAway(code, debug: debug) }
        nghttp2_session_terminate_session(pointer, code.rawValue)
    }

    func submitGoAway(_ code: HTTP2ErrorCode, debug: String) {
        let last = nghttp2_session_get_last_proc_stream_id(pointer)
        let bytes = Array(debug.utf8)
        nghttp2_submit_goaway(pointer, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, code.rawValue, bytes, bytes.count)
    }

    // MARK: Queries

    /// Whether the connection may be closed: everything was said and no stream is left.
    package var isFinished: Bool {
        nghttp2_session_want_read(pointer) == 0 && nghttp2_session_want_write(pointer) == 0
    }

    /// Streams that the layer above knows and that are not closed.
    package var openStreamCount: Int { streams.values.count { $0.isAnnounced } }

    // MARK: Private

    private func resume(_ streamID: Int32) {
        guard streams[streamID]?.isDeferred == true else { return }
        streams[streamID]!.isDeferred = false
        nghttp2_session_resume_data(pointer, streamID)
    }

    private func enter<Result>(_ body: () -> Result) -> Result {
        precondition(!isInsideLibrary, "nghttp2 is entered from its own callback")
        isInsideLibrary = true
        defer { isInsideLibrary = false }
        return body()
    }

    private func check(_ result: Int32) throws(TransportError) {
        if result < 0 { throw Self.failure(result) }
    }

    static func text(_ code: Int32) -> String { String(cString: nghttp2_strerror(code)) }
    static func failure(_ code: Int32) -> TransportError { .protocolViolation(text(code)) }
}

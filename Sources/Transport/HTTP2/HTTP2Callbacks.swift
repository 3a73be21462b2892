import CNGHTTP2
import NIOCore

/// What nghttp2 calls. No function here may enter `mem_recv`, `mem_send` or free the session; submitting is fine.
extension HTTP2Session {
    /// Smaller pieces of a body are joined while they wait.
    static let sliceBytesMin = 2_048
    /// A piece that is a smaller part of its buffer is copied: a peer that fills the rest with frames that nobody keeps
    /// would make us hold that many times what its window allows.
    static let sliceShareMin = 8

    /// - Returns: whether the frame is to be read at all.
    func beganFrame(_ header: nghttp2_frame_hd) -> Bool {
        let isAcknowledgement = header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0
        let type = nghttp2_frame_type(UInt32(header.type))
        if type != NGHTTP2_CONTINUATION { headersUnderWay = nil }
        switch type {
        case NGHTTP2_DATA:
            let isEnd = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
            if header.length == 0, !isEnd { count(.emptyData) }
        case NGHTTP2_HEADERS where role == .server && !clientStreams.mayHaveHeaders(header.stream_id):
            terminate(code: .protocolError, debug: "HEADERS on a stream that was left out")
        case NGHTTP2_PING where isAcknowledgement && pingsUnderWay > 0: pingsUnderWay -= 1
        case NGHTTP2_PING: count(.ping)
        case NGHTTP2_SETTINGS: if !isAcknowledgement { count(.settings) }
        // A server can reset each stream of its client's once.
        case NGHTTP2_RST_STREAM: if role == .server { count(.reset) }
        case NGHTTP2_PRIORITY: count(.priority)
        case NGHTTP2_WINDOW_UPDATE: count(.windowUpdate)
        case NGHTTP2_CONTINUATION: count(.continuation)
        case NGHTTP2_GOAWAY: count(.goAway)
        default: break
        }
        return !isTerminated
    }

    func beganHeaders(_ id: Int32) {
        headersUnderWay = (id, nowMilliseconds)
        if streams[id] == nil {
            streams[id] = Outbound()
            floods.openedStream()
        }
        streams[id]!.fields = []
        streams[id]!.fieldBytes = 0
    }

    func receivedField(_ id: Int32, name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let bytes = streams[id]?.fieldBytes else { return true }
        let total = bytes + name.count + value.count + 32
        // RFC 9113 §10.5.1: our SETTINGS only advise the peer, so the list is measured here.
        guard total <= limits.headerListBytesMax else {
            headersUnderWay = nil
            return false
        }
        streams[id]!.fieldBytes = total
        streams[id]!.fields.append(
            HTTP2Header(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
        return true
    }

    func receivedData(_ id: Int32, _ data: UnsafePointer<UInt8>, _ count: Int) {
        guard count > 0 else { return }
        let buffer: ByteBuffer
        if count < Self.sliceBytesMin || count * Self.sliceShareMin < input.storageCapacity {
            buffer = ByteBuffer(bytes: UnsafeBufferPointer(start: data, count: count))
        } else if let base = inputBase,
            let slice = input.getSlice(
                at: input.readerIndex + (UnsafeRawPointer(data) - base), length: count)
        {
            buffer = slice
        } else {
            preconditionFailure("nghttp2 hands out bytes that it was not given")
        }
        events.append(.data(streamID: id, buffer))
    }

    func receivedFrame(_ frame: nghttp2_frame) {
        let id = frame.hd.stream_id
        let isEnd = frame.hd.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        let isAcknowledgement = frame.hd.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0
        switch nghttp2_frame_type(UInt32(frame.hd.type)) {
        case NGHTTP2_HEADERS: receivedHeaders(id, isEnd: isEnd)
        case NGHTTP2_DATA:
            if isEnd { events.append(.end(streamID: id, trailers: [])) }
            if isEnd { streams[id]?.bodySinceMilliseconds = nil }
            if frame.hd.length > 0, frame.hd.length <= frame.data.padlen, !isEnd { count(.emptyData) }
        case NGHTTP2_RST_STREAM: streams[id]?.isResetByPeer = true
        case NGHTTP2_SETTINGS where !isAcknowledgement:
            events.append(.settings)
        case NGHTTP2_PING where isAcknowledgement:
            let opaque = withUnsafeBytes(of: frame.ping.opaque_data) {
                UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self))
            }
            if opaque == Self.shutdownPing { submitGoAway(.noError, debug: "") } else { events.append(.pong(opaque)) }
        case NGHTTP2_GOAWAY:
            let length = min(frame.goaway.opaque_data_len, 256)
            let debug = String(
                decoding: UnsafeBufferPointer(start: frame.goaway.opaque_data, count: length), as: UTF8.self)
            events.append(.goAway(code: HTTP2ErrorCode(rawValue: frame.goaway.error_code), debug: debug))
        default: break
        }
    }

    private func receivedHeaders(_ id: Int32, isEnd: Bool) {
        headersUnderWay = nil
        guard let stream = streams[id] else { return }
        let fields = stream.fields
        streams[id]!.fields = []
        if fields.contains(where: { $0.name.hasPrefix(":") }) {
            if role == .server, let head = HTTP2RequestHead(fields: fields) {
                streams[id]!.isAnnounced = true
                streams[id]!.bodySinceMilliseconds = nowMilliseconds
                events.append(.request(streamID: id, head))
            } else if let head = HTTP2ResponseHead(fields: fields) {
                if head.status < 200 { return }
                events.append(.response(streamID: id, head))
            }
            if isEnd { events.append(.end(streamID: id, trailers: [])) }
        } else if isEnd {
            events.append(.end(streamID: id, trailers: fields))
        }
        if isEnd { streams[id]!.bodySinceMilliseconds = nil }
    }

    func sentFrame(_ frame: nghttp2_frame) {
        guard frame.hd.type == UInt8(NGHTTP2_RST_STREAM.rawValue) else { return }
        // A reset that the layer above did not ask for was provoked by the peer.
        if streams[frame.hd.stream_id]?.isResetHere == true { return }
        // RFC 9113 §6.9.2: a setting that makes a stream's window too large is an error of the connection, not only of
        // the stream; one that WINDOW_UPDATE makes too large may be.
        if frame.rst_stream.error_code == NGHTTP2_FLOW_CONTROL_ERROR.rawValue {
            return terminate(code: .flowControlError, debug: "a stream's window is too large")
        }
        count(.forcedReset)
    }

    func couldNotSend(_ frame: nghttp2_frame) {
        let id = frame.hd.stream_id
        guard frame.hd.type == UInt8(NGHTTP2_HEADERS.rawValue), role == .client, streams[id] != nil else { return }
        streamClosed(id, NGHTTP2_REFUSED_STREAM.rawValue)
    }

    func streamClosed(_ id: Int32, _ code: UInt32) {
        if headersUnderWay?.streamID == id { headersUnderWay = nil }
        guard let stream = streams.removeValue(forKey: id), stream.isAnnounced else { return }
        events.append(
            .closed(streamID: id, code: HTTP2ErrorCode(rawValue: code), byPeer: stream.isResetByPeer))
    }

    private func count(_ kind: FloodCounters.Kind) {
        if isTerminated || floods.allows(kind, nowMilliseconds: nowMilliseconds) { return }
        endFlood(kind)
    }

    func endFlood(_ kind: FloodCounters.Kind) {
        terminate(code: .enhanceYourCalm, debug: "too many \(kind)")
        events.append(.flood(kind: "\(kind)"))
    }

    // MARK: Sending

    /// How much of the body goes into the next DATA frame; negative for a code of nghttp2.
    func readBody(_ id: Int32, room: Int, flags: UnsafeMutablePointer<UInt32>, session: OpaquePointer?) -> Int {
        guard let stream = streams[id] else { return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
        let count = min(room, stream.queuedBytes)
        if count == 0, !stream.isEnded {
            streams[id]!.isDeferred = true
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        flags.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue
        if stream.isEnded, count == stream.queuedBytes {
            flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
            if !stream.pendingTrailers.isEmpty {
                flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
                _ = withFields(stream.pendingTrailers) { nghttp2_submit_trailer(session, id, $0, $1) }
            }
        }
        return count
    }

    /// Writes one DATA frame. - Returns: whether the output has reached its limit.
    func sendData(_ id: Int32, frameHeader: UnsafePointer<UInt8>, count: Int) -> Bool {
        let wanted = min(streams[id]?.queuedBytes ?? 0, max(0, outputLimit - output.readableBytes))
        if output.writableBytes < count + 9 {
            output.reserveCapacity(minimumWritableBytes: max(count + 9, wanted + 512))
        }
        output.writeBytes(UnsafeRawBufferPointer(start: frameHeader, count: 9))
        var left = count
        while left > 0 {
            let available = streams[id]!.queue[streams[id]!.queue.startIndex].readableBytes
            if available <= left {
                output.writeImmutableBuffer(streams[id]!.queue.removeFirst())
                left -= available
            } else {
                let first = streams[id]!.queue.startIndex
                let part = streams[id]!.queue[first].readSlice(length: left)!
                output.writeImmutableBuffer(part)
                left = 0
            }
        }
        streams[id]!.queuedBytes -= count
        movedOn(id, bytes: count)
        if case .sent(let last, let bytes) = events.last, last == id {
            events[events.count - 1] = .sent(streamID: id, bytes: bytes + count)
        } else if count > 0 {
            events.append(.sent(streamID: id, bytes: count))
        }
        return output.readableBytes >= outputLimit
    }

    func makeProvider() -> nghttp2_data_provider {
        nghttp2_data_provider(source: nghttp2_data_source(), read_callback: readCallback)
    }

    /// Lends the fields as nghttp2 wants them; it copies them.
    func withFields(
        _ headers: [HTTP2Header], _ body: (UnsafePointer<nghttp2_nv>?, Int) -> Int32
    ) -> Int32 {
        var bytes: [UInt8] = []
        for header in headers {
            bytes.append(contentsOf: header.name.utf8)
            bytes.append(contentsOf: header.value.utf8)
        }
        // One spare octet, so that there is an address even if every value is empty.
        bytes.append(0)
        return bytes.withUnsafeMutableBufferPointer { storage in
            var next = storage.baseAddress!
            let fields = headers.map { header in
                let nameCount = header.name.utf8.count
                let valueCount = header.value.utf8.count
                defer { next += nameCount + valueCount }
                return nghttp2_nv(
                    name: next, value: next + nameCount, namelen: nameCount, valuelen: valueCount,
                    flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue))
            }
            return body(fields, fields.count)
        }
    }
}

/// One table of callbacks serves every session; nghttp2 copies it.
struct SessionCallbacks: @unchecked Sendable {
    // Sendable: filled in once by the initialiser of a global, only read afterwards.
    let pointer: OpaquePointer

    init() {
        var made: OpaquePointer?
        guard nghttp2_session_callbacks_new(&made) == 0, let made else { preconditionFailure("out of memory") }
        nghttp2_session_callbacks_set_on_begin_frame_callback(made) { _, header, user in
            session(user).beganFrame(header!.pointee) ? 0 : Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
        }
        nghttp2_session_callbacks_set_on_begin_headers_callback(made) { _, frame, user in
            session(user).beganHeaders(frame!.pointee.hd.stream_id)
            return 0
        }
        nghttp2_session_callbacks_set_on_header_callback(made) {
            _, frame, name, nameCount, value, valueCount, _, user in
            let isFine = session(user).receivedField(
                frame!.pointee.hd.stream_id, name: UnsafeBufferPointer(start: name, count: nameCount),
                value: UnsafeBufferPointer(start: value, count: valueCount))
            return isFine ? 0 : Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made) { _, _, id, data, count, user in
            session(user).receivedData(id, data!, count)
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(made) { _, frame, user in
            session(user).receivedFrame(frame!.pointee)
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_send_callback(made) { _, frame, user in
            session(user).sentFrame(frame!.pointee)
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_not_send_callback(made) { _, frame, _, user in
            session(user).couldNotSend(frame!.pointee)
            return 0
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(made) { _, id, code, user in
            session(user).streamClosed(id, code)
            return 0
        }
        nghttp2_session_callbacks_set_send_data_callback(made) { _, frame, frameHeader, count, _, user in
            let isFull = session(user).sendData(frame!.pointee.hd.stream_id, frameHeader: frameHeader!, count: count)
            return isFull ? Int32(NGHTTP2_ERR_PAUSE.rawValue) : 0
        }
        pointer = made
    }
}

let sessionCallbacks = SessionCallbacks()

private let readCallback: nghttp2_data_source_read_callback = { pointer, id, _, room, flags, _, user in
    session(user).readBody(id, room: room, flags: flags!, session: pointer)
}

private func session(_ user: UnsafeMutableRawPointer?) -> HTTP2Session {
    Unmanaged<HTTP2Session>.fromOpaque(user!).takeUnretainedValue()
}

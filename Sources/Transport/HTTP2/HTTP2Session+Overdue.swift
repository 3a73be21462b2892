/// What a peer has not done within its time.
package enum HTTP2Overdue: Sendable, Hashable {
    /// The rest of a header list.
    case headers
    /// The rest of a request's body.
    case body(streamID: Int32)
    /// Reading: bytes wait for credit, or for the wire.
    case reading(streamID: Int32)
}

/// The times within which a peer has to go on. Like everything here without a clock: whoever has one looks now and then.
extension HTTP2Session {
    /// Whether looking makes sense: the peer owes something that has a limit.
    package var isOwedByPeer: Bool {
        headersUnderWay != nil
            || streams.values.contains { $0.queuedBytes > 0 || isBodyLimited && $0.bodySinceMilliseconds != nil }
    }

    private var isBodyLimited: Bool { limits.bodyMilliseconds > 0 }

    /// What is overdue. That bytes do not move is seen from the first look on, so looks have to be more frequent than
    /// `TransportLimits.stallMilliseconds`. O(streams).
    package func overdue(nowMilliseconds now: Int64) -> [HTTP2Overdue] {
        var found: [HTTP2Overdue] = []
        if let headersUnderWay, now - headersUnderWay.sinceMilliseconds >= limits.headersMilliseconds {
            found.append(.headers)
        }
        for id in streams.keys.sorted() {
            if isBodyLimited, let since = streams[id]!.bodySinceMilliseconds, now - since >= limits.bodyMilliseconds {
                found.append(.body(streamID: id))
            } else if streams[id]!.queuedBytes == 0 {
                streams[id]!.stalledSinceMilliseconds = nil
            } else if let since = streams[id]!.stalledSinceMilliseconds {
                if now - since >= limits.stallMilliseconds { found.append(.reading(streamID: id)) }
            } else {
                streams[id]!.stalledSinceMilliseconds = now
                streams[id]!.progressBytes = 0
            }
        }
        return found
    }

    /// Body of a stream has left.
    func movedOn(_ id: Int32, bytes: Int) {
        floods.sent(bytes: bytes)
        streams[id]!.progressBytes += bytes
        if streams[id]!.queuedBytes == 0 || streams[id]!.progressBytes >= limits.progressBytesMin {
            streams[id]!.stalledSinceMilliseconds = nil
        }
    }
}

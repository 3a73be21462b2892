import NIOCore

/// What a stream owes to the tasks that use it: a plain value, driven by the connection from one side and by the
/// stream's reader and writers from the other.
///
/// Credit: every byte that `received` took is returned exactly once, by `takeCredit` or `settle`.
struct HTTP2StreamState: Sendable {
    /// What the stream wants done on its connection, in order.
    enum Command: Equatable, Sendable {
        case respond(HTTP2ResponseHead, endStream: Bool)
        case data(ByteBuffer)
        case finish(trailers: [HTTP2Header])
        case reset(HTTP2ErrorCode)
    }

    /// The answer to somebody who would wait.
    enum Outcome<Value: Sendable>: Sendable { case wait, ready(Value), failed(TransportError) }

    private enum Inbound { case open, ended, failed(TransportError) }
    private enum Outbound { case head, body, ended, failed(TransportError) }

    private let role: TLSRole
    private let writeQueueBytesMax: Int
    private let creditBytesMin: Int
    private var inbound = Inbound.open
    private var outbound: Outbound
    private var queue = CircularBuffer<ByteBuffer>(initialCapacity: 2)
    private var queuedBytes = 0
    /// Handed out to a reader who gives credit back himself, and not yet given back.
    private var deliveredBytes = 0
    /// Credit that may go back and has not been taken yet.
    private var creditBytes = 0
    private(set) var isDiscarding = false
    private var unsentBytes = 0
    private var commands: [Command] = []
    private var isDrainScheduled = false
    private(set) var responseHead: HTTP2ResponseHead?
    private(set) var trailers: [HTTP2Header] = []
    private(set) var isClosed = false

    init(role: TLSRole, limits: TransportLimits, endStream: Bool = false) {
        self.role = role
        writeQueueBytesMax = limits.writeQueueBytesMax
        creditBytesMin = max(1, min(64 * 1024, limits.streamWindowBytes / 4))
        outbound = role == .server ? .head : (endStream ? .ended : .body)
    }

    // MARK: From the connection

    /// - Returns: credit to give back at once, because nobody will read.
    mutating func received(_ bytes: ByteBuffer) -> Int {
        let count = bytes.readableBytes
        if isDiscarding { return count }
        // Small pieces are joined, so that many tiny frames do not cost a buffer each.
        if count < HTTP2Session.sliceBytesMin, let last = queue.indices.last,
            queue[last].readableBytes < HTTP2Session.sliceBytesMin
        {
            queue[last].writeImmutableBuffer(bytes)
        } else {
            queue.append(bytes)
        }
        queuedBytes += count
        return 0
    }

    mutating func receivedHead(_ head: HTTP2ResponseHead) { responseHead = head }

    mutating func receivedEnd(trailers: [HTTP2Header]) {
        guard case .open = inbound else { return }
        self.trailers = trailers
        inbound = .ended
    }

    mutating func sent(bytes: Int) { unsentBytes -= bytes }

    /// - Returns: credit to give back at once.
    mutating func closed(_ error: TransportError) -> Int {
        isClosed = true
        commands = []
        unsentBytes = 0
        if case .ended = outbound {} else { outbound = .failed(error) }
        guard case .open = inbound else { return 0 }
        inbound = .failed(error)
        return settle()
    }

    /// Gives up reading: what is unread, and all that still comes, goes back as credit.
    mutating func settle() -> Int {
        defer {
            queue = CircularBuffer(initialCapacity: 1)
            queuedBytes = 0
            deliveredBytes = 0
            creditBytes = 0
            isDiscarding = true
        }
        return queuedBytes + deliveredBytes + creditBytes
    }

    /// The commands that have gathered.
    mutating func takeCommands() -> [Command] {
        isDrainScheduled = false
        defer { commands = [] }
        return commands
    }

    var isInboundOpen: Bool { if case .open = inbound { true } else { false } }
    var hasUnsentBody: Bool { unsentBytes > 0 }
    var isOutboundEnded: Bool { if case .ended = outbound { true } else { false } }

    // MARK: From the reader

    /// Whether `read` would not have to wait.
    var isReadable: Bool { !queue.isEmpty || !isInboundOpen || isDiscarding }

    /// Next piece of the body; nil at its end.
    mutating func read(isManual: Bool) -> Outcome<ByteBuffer?> {
        if let bytes = queue.popFirst() {
            let count = bytes.readableBytes
            queuedBytes -= count
            if isManual { deliveredBytes += count } else { creditBytes += count }
            return .ready(bytes)
        }
        switch inbound {
        case .open: return isDiscarding ? .failed(.streamState("the body was given up")) : .wait
        case .ended: return .ready(nil)
        case .failed(let error): return .failed(error)
        }
    }

    /// Credit worth a call to the connection: a large piece, or all there is once nothing is left to read.
    mutating func takeCredit() -> Int {
        guard creditBytes >= creditBytesMin || queue.isEmpty else { return 0 }
        defer { creditBytes = 0 }
        return creditBytes
    }

    /// Gives back credit for bytes handed out to a reader who does so himself. Little is kept until there is more: a
    /// call wakes the connection's thread, and the peer hears of it only once half of the window is to be given back.
    /// - Returns: credit to give back now; 0 once the stream settled, for then it went back already.
    mutating func consume(bytes: Int) -> Int {
        if isDiscarding { return 0 }
        precondition(
            bytes >= 0 && bytes <= deliveredBytes, "credit of \(bytes) bytes, \(deliveredBytes) were handed out")
        deliveredBytes -= bytes
        creditBytes += bytes
        guard creditBytes >= creditBytesMin else { return 0 }
        defer { creditBytes = 0 }
        return creditBytes
    }

    func head() -> Outcome<HTTP2ResponseHead> {
        if let responseHead { return .ready(responseHead) }
        switch inbound {
        case .open: return .wait
        case .ended: return .failed(.protocolViolation("an answer without a head"))
        case .failed(let error): return .failed(error)
        }
    }

    // MARK: From the writers

    /// - Returns: whether the caller must see to it that the connection takes the commands.
    mutating func respond(_ head: HTTP2ResponseHead, endStream: Bool) throws(TransportError) -> Bool {
        switch outbound {
        case .head: break
        case .body, .ended: throw .streamState("the head was sent")
        case .failed(let error): throw error
        }
        outbound = endStream ? .ended : .body
        return append(.respond(head, endStream: endStream))
    }

    mutating func write(_ bytes: ByteBuffer) throws(TransportError) -> Bool {
        switch outbound {
        case .body: break
        case .head: throw .streamState("the head comes before the body")
        case .ended: throw .streamState("the body was finished")
        case .failed(let error): throw error
        }
        if bytes.readableBytes == 0 { return false }
        unsentBytes += bytes.readableBytes
        return append(.data(bytes))
    }

    mutating func finish(trailers: [HTTP2Header]) throws(TransportError) -> Bool {
        switch outbound {
        case .body: break
        case .head: throw .streamState("the head comes before the end")
        case .ended: return false
        case .failed(let error): throw error
        }
        outbound = .ended
        return append(.finish(trailers: trailers))
    }

    mutating func reset(_ code: HTTP2ErrorCode) -> Bool {
        if isClosed { return false }
        let error = TransportError.streamReset(code: code, byPeer: false)
        commands = []
        outbound = .failed(error)
        if case .open = inbound { inbound = .failed(error) }
        return append(.reset(code))
    }

    /// - Parameter wasWaiting: who waited goes on only when the queue has fallen to half, not for every frame.
    func writable(wasWaiting: Bool) -> Outcome<Void> {
        if case .failed(let error) = outbound { return .failed(error) }
        return unsentBytes <= (wasWaiting ? writeQueueBytesMax / 2 : writeQueueBytesMax) ? .ready(()) : .wait
    }

    private mutating func append(_ command: Command) -> Bool {
        commands.append(command)
        defer { isDrainScheduled = true }
        return !isDrainScheduled
    }
}

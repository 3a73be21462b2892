import NIOCore
import Synchronization

/// Where the tasks that use a stream meet its connection: the state under a lock, and who waits for it.
///
/// After every change the waiters are asked again; their continuations are resumed outside the lock.
final class HTTP2StreamCore: Sendable {
    let id: Int32
    let link: HTTP2Link
    private let shared: Mutex<Shared>

    private struct Shared: ~Copyable {
        var state: HTTP2StreamState
        var reader: CheckedContinuation<ByteBuffer?, any Error>?
        var listener: (@Sendable () -> Void)?
        var headWaiter: CheckedContinuation<HTTP2ResponseHead, any Error>?
        var writers: [(CheckedContinuation<Void, any Error>, token: UInt64)] = []
        var nextToken: UInt64 = 0
    }

    /// Waiters whose answer is known.
    private struct Resumptions {
        var reader: (CheckedContinuation<ByteBuffer?, any Error>, Result<ByteBuffer?, any Error>)?
        var head: (CheckedContinuation<HTTP2ResponseHead, any Error>, Result<HTTP2ResponseHead, any Error>)?
        var writers: [CheckedContinuation<Void, any Error>] = []
        var writersFailure: TransportError?

        func run() {
            if let reader { reader.0.resume(with: reader.1) }
            if let head { head.0.resume(with: head.1) }
            for writer in writers {
                if let writersFailure { writer.resume(throwing: writersFailure) } else { writer.resume() }
            }
        }
    }

    init(id: Int32, link: HTTP2Link, state: sending HTTP2StreamState) {
        self.id = id
        self.link = link
        shared = Mutex(Shared(state: state))
    }

    // MARK: For the connection

    /// Changes the state and wakes who waited for that. Cheap; takes a lock.
    @discardableResult
    func update<Value: Sendable>(_ body: (inout HTTP2StreamState) -> Value) -> Value {
        let (value, resumptions, listener, credit) = shared.withLock { shared in
            let value = body(&shared.state)
            let resumptions = Self.wake(&shared)
            let listener = shared.state.isReadable ? shared.listener : nil
            return (value, resumptions, listener, shared.state.takeCreditIfWaiting(resumptions.reader != nil))
        }
        resumptions.run()
        listener?()
        if credit > 0 { link.consume(id, bytes: credit) }
        return value
    }

    func withState<Value: Sendable>(_ body: (inout HTTP2StreamState) -> Value) -> Value {
        shared.withLock { body(&$0.state) }
    }

    private static func wake(_ shared: inout Shared) -> Resumptions {
        var resumptions = Resumptions()
        if let reader = shared.reader {
            switch shared.state.read(isManual: false) {
            case .wait: break
            case .ready(let bytes): resumptions.reader = (reader, .success(bytes))
            case .failed(let error): resumptions.reader = (reader, .failure(error))
            }
            if resumptions.reader != nil { shared.reader = nil }
        }
        if let head = shared.headWaiter {
            switch shared.state.head() {
            case .wait: break
            case .ready(let value): resumptions.head = (head, .success(value))
            case .failed(let error): resumptions.head = (head, .failure(error))
            }
            if resumptions.head != nil { shared.headWaiter = nil }
        }
        if !shared.writers.isEmpty {
            switch shared.state.writable(wasWaiting: true) {
            case .wait: return resumptions
            case .ready: break
            case .failed(let error): resumptions.writersFailure = error
            }
            resumptions.writers = shared.writers.map { $0.0 }
            shared.writers = []
        }
        return resumptions
    }

    // MARK: For the reader

    func whenReadable(_ listener: (@Sendable () -> Void)?) {
        let isReadable = shared.withLock { shared in
            precondition(shared.reader == nil, "a task and a listener read one body")
            shared.listener = listener
            return shared.state.isReadable
        }
        if isReadable { listener?() }
    }

    func take() throws(TransportError) -> HTTP2Stream.Piece {
        switch withState({ $0.read(isManual: true) }) {
        case .wait: return .nothing
        case .ready(let bytes): return bytes.map(HTTP2Stream.Piece.bytes) ?? .end
        case .failed(let error): throw error
        }
    }

    func read() async throws -> ByteBuffer? {
        let (outcome, credit) = shared.withLock { shared in
            let outcome = shared.state.read(isManual: false)
            return (outcome, shared.state.takeCredit())
        }
        if credit > 0 { link.consume(id, bytes: credit) }
        switch outcome {
        case .ready(let bytes): return bytes
        case .failed(let error): throw error
        case .wait: break
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let resumptions = shared.withLock { shared in
                    precondition(shared.reader == nil && shared.listener == nil, "two read one body")
                    shared.reader = continuation
                    return Self.wake(&shared)
                }
                resumptions.run()
                if Task.isCancelled { cancelRead() }
            }
        } onCancel: {
            cancelRead()
        }
    }

    private func cancelRead() {
        let reader = shared.withLock { shared in
            defer { shared.reader = nil }
            return shared.reader
        }
        reader?.resume(throwing: CancellationError())
    }

    func consume(bytes: Int) {
        let credit = withState { $0.consume(bytes: bytes) }
        if credit > 0 { link.consume(id, bytes: credit) }
    }

    func responseHead() async throws -> HTTP2ResponseHead {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let resumptions = shared.withLock { shared in
                    precondition(shared.headWaiter == nil, "two tasks wait for one head")
                    shared.headWaiter = continuation
                    return Self.wake(&shared)
                }
                resumptions.run()
                if Task.isCancelled { cancelHead() }
            }
        } onCancel: {
            cancelHead()
        }
    }

    private func cancelHead() {
        let waiter = shared.withLock { shared in
            defer { shared.headWaiter = nil }
            return shared.headWaiter
        }
        waiter?.resume(throwing: CancellationError())
    }

    // MARK: For the writers

    func command(_ body: (inout HTTP2StreamState) throws(TransportError) -> Bool) throws(TransportError) {
        let result = shared.withLock { shared in
            Result { () throws(TransportError) -> Bool in try body(&shared.state) }
        }
        if try result.get() { link.drain(self) }
    }

    func write(_ bytes: ByteBuffer) async throws {
        try command { state throws(TransportError) in try state.write(bytes) }
        switch withState({ $0.writable(wasWaiting: false) }) {
        case .ready: return
        case .failed(let error): throw error
        case .wait: break
        }
        let token = shared.withLock { shared in
            shared.nextToken += 1
            return shared.nextToken
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let resumptions = shared.withLock { shared in
                    shared.writers.append((continuation, token))
                    return Self.wake(&shared)
                }
                resumptions.run()
                if Task.isCancelled { cancelWrite(token) }
            }
        } onCancel: {
            cancelWrite(token)
        }
    }

    private func cancelWrite(_ token: UInt64) {
        let writer = shared.withLock { shared -> CheckedContinuation<Void, any Error>? in
            guard let index = shared.writers.firstIndex(where: { $0.token == token }) else { return nil }
            return shared.writers.remove(at: index).0
        }
        writer?.resume(throwing: CancellationError())
    }

    func reset(_ code: HTTP2ErrorCode) {
        let (mustDrain, credit) = update { ($0.reset(code), $0.settle()) }
        if credit > 0 { link.consume(id, bytes: credit) }
        if mustDrain { link.drain(self) }
    }

    /// Nobody holds the stream any more.
    func abandon() {
        let isDone = withState { $0.isClosed || ($0.isOutboundEnded && (!$0.isInboundOpen || $0.isDiscarding)) }
        if isDone {
            let credit = withState { $0.settle() }
            if credit > 0 { link.consume(id, bytes: credit) }
        } else {
            reset(.cancel)
        }
    }
}

extension HTTP2StreamState {
    /// Credit of a piece that went straight to a waiting reader.
    mutating func takeCreditIfWaiting(_ wasWaiting: Bool) -> Int { wasWaiting ? takeCredit() : 0 }
}

internal import CZstd
internal import Synchronization

/// Zstandard frames of bounded size.
package enum Compression {
    /// A seventh fewer bytes than level 1 for about 1.5 µs an operation.
    package static let level: Int32 = 3

    package static func compress(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count)) { buffer, count in
            let written = KeptContext.compression.use {
                ZSTD_compressCCtx($0, buffer.baseAddress, buffer.count, bytes, bytes.count, level)
            }
            precondition(ZSTD_isError(written) == 0, "zstd cannot fail with a buffer of its own bound")
            count = written
        }
    }

    /// - Parameter countMax: most bytes that may come out; a frame that says more is refused before it is opened.
    package static func decompress(_ bytes: [UInt8], countMax: Int) throws(DecodingFailure) -> [UInt8] {
        let declared = ZSTD_getFrameContentSize(bytes, bytes.count)
        // The two largest values mean "unknown" and "no frame".
        guard declared <= UInt64(Int.max) else { throw .invalid(field: "columns_zstd") }
        guard declared <= UInt64(countMax) else {
            throw .tooLarge(field: "columns_zstd", count: Int(declared), countMax: countMax)
        }
        var failed = false
        let result = [UInt8](unsafeUninitializedCapacity: Int(declared)) { buffer, count in
            let written = KeptContext.decompression.use {
                ZSTD_decompressDCtx($0, buffer.baseAddress, buffer.count, bytes, bytes.count)
            }
            failed = ZSTD_isError(written) != 0
            count = failed ? 0 : written
        }
        guard !failed, result.count == Int(declared) else { throw .invalid(field: "columns_zstd") }
        return result
    }
}

/// What zstd works with for a frame that stands alone. Making it costs more than a live batch's compression does: the
/// process keeps one, and whoever finds it in use makes another for the time being.
private final class KeptContext: Sendable {
    static let compression = KeptContext(make: ZSTD_createCCtx, free: ZSTD_freeCCtx, byteCount: ZSTD_sizeof_CCtx)
    static let decompression = KeptContext(make: ZSTD_createDCtx, free: ZSTD_freeDCtx, byteCount: ZSTD_sizeof_DCtx)

    /// What a large frame has left is not kept.
    private static let keptBytesMax = 512 * 1024

    /// One owner at a time: whoever has taken it out, or nobody.
    private struct Context: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    private let kept = Mutex<Context?>(nil)
    private let make: @Sendable () -> OpaquePointer?
    private let free: @Sendable (OpaquePointer?) -> Int
    private let byteCount: @Sendable (OpaquePointer?) -> Int

    private init(
        make: @escaping @Sendable () -> OpaquePointer?, free: @escaping @Sendable (OpaquePointer?) -> Int,
        byteCount: @escaping @Sendable (OpaquePointer?) -> Int
    ) {
        self.make = make
        self.free = free
        self.byteCount = byteCount
    }

    /// - Returns: what zstd has said, which may be an error's code.
    func use(_ body: (OpaquePointer) -> Int) -> Int {
        let context = kept.withLock { $0.take() } ?? fresh()
        let result = body(context.pointer)
        let isKept =
            byteCount(context.pointer) <= Self.keptBytesMax
            && kept.withLock { kept in
                guard kept == nil else { return false }
                kept = context
                return true
            }
        if !isKept { _ = free(context.pointer) }
        return result
    }

    private func fresh() -> Context {
        guard let made = make() else { preconditionFailure("zstd cannot give a context: out of memory") }
        return Context(pointer: made)
    }
}

/// One zstd frame over the batches of a session: what one batch says, the next does not have to say again. Each call
/// gives one flushed block, which the other end unpacks at once.
///
/// About 4 MiB while in use; `reset` gives that back, and the next block begins a new frame.
package struct StreamCompressor: ~Copyable {
    /// The window that blocks may point back into: 2 MiB, some eight full batches, which bounds the memory of both ends.
    package static let windowLogMax: Int32 = 21

    private var context: OpaquePointer?

    package init() {}

    deinit {
        ZSTD_freeCCtx(context)
    }

    /// - Returns: the block, and whether it begins a new frame.
    package mutating func compress(_ bytes: [UInt8]) -> (block: [UInt8], isStart: Bool) {
        let isStart = context == nil
        let context = current()
        let block = [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(bytes.count) + 64) { buffer, count in
            bytes.withUnsafeBytes { source in
                var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
                var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
                let left = ZSTD_compressStream2(context, &output, &input, ZSTD_e_flush)
                precondition(left == 0, "zstd cannot fail with a buffer of its own bound")
                count = output.pos
            }
        }
        return (block, isStart)
    }

    package mutating func reset() {
        ZSTD_freeCCtx(context)
        context = nil
    }

    private mutating func current() -> OpaquePointer {
        if let context { return context }
        guard let made = ZSTD_createCCtx() else { preconditionFailure("zstd cannot give a context: out of memory") }
        ZSTD_CCtx_setParameter(made, ZSTD_c_compressionLevel, Compression.level)
        ZSTD_CCtx_setParameter(made, ZSTD_c_windowLog, Self.windowLogMax)
        context = made
        return made
    }
}

/// The other end of `StreamCompressor`.
package struct StreamDecompressor: ~Copyable {
    private var context: OpaquePointer?

    package init() {}

    deinit {
        ZSTD_freeDCtx(context)
    }

    /// - Parameter countMax: most bytes that may come out of one block.
    package mutating func decompress(
        _ block: [UInt8], isStart: Bool, countMax: Int
    ) throws(DecodingFailure) -> [UInt8] {
        if isStart { reset() }
        let context: OpaquePointer
        if let known = self.context {
            context = known
        } else {
            guard isStart, let made = ZSTD_createDCtx() else { throw .invalid(field: "columns_stream") }
            ZSTD_DCtx_setParameter(made, ZSTD_d_windowLogMax, StreamCompressor.windowLogMax)
            self.context = made
            context = made
        }
        var isWhole = false
        var isTooLarge = false
        // Most blocks unpack to less than eight times their size: the buffer grows only for the others.
        var capacity = min(countMax, max(block.count * 8, 4_096))
        var result: [UInt8] = []
        var position = 0
        repeat {
            let chunk = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                block.withUnsafeBytes { source in
                    var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: position)
                    var output = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
                    let left = ZSTD_decompressStream(context, &output, &input)
                    position = input.pos
                    count = output.pos
                    // A flushed block leaves nothing in the decoder: it is whole when the buffer was not filled.
                    if ZSTD_isError(left) != 0 {
                        position = -1
                    } else {
                        isWhole = input.pos == input.size && output.pos < output.size
                    }
                }
            }
            guard position >= 0 else { throw .invalid(field: "columns_stream") }
            if result.isEmpty { result = chunk } else { result += chunk }
            isTooLarge = result.count > countMax
            capacity = min(countMax, 256 * 1024)
        } while !isWhole && !isTooLarge
        guard !isTooLarge else {
            throw .tooLarge(field: "columns_stream", count: result.count, countMax: countMax)
        }
        return result
    }

    package mutating func reset() {
        ZSTD_freeDCtx(context)
        context = nil
    }
}

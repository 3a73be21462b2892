internal import CNGHTTP2
internal import Foundation

/// The memory of one nghttp2 session. It holds a buffer for a whole frame and writes only the heads of frames into it,
/// since bodies go past it (`NGHTTP2_DATA_FLAG_NO_COPY`). Blocks of that size get pages of their own, of which a
/// connection that waits has touched one; out of the heap it would get four that something else had touched.
///
/// Belongs to its session's thread, and has to outlive the session.
final class HTTP2Memory {
    /// Blocks that are allocated from here on get pages of their own.
    static let pagedBytesMin = 16_384

    /// Those that have pages of their own; a session has one or two.
    private var paged: [UnsafeMutableRawBufferPointer] = []

    /// For the session to copy.
    func withCallbacks<Result>(_ body: (UnsafeMutablePointer<nghttp2_mem>) -> Result) -> Result {
        var callbacks = nghttp2_mem(
            mem_user_data: Unmanaged.passUnretained(self).toOpaque(),
            malloc: { size, me in HTTP2Memory.of(me).allocate(size) },
            free: { block, me in HTTP2Memory.of(me).free(block) },
            calloc: { count, size, me in
                let (bytes, isTooMuch) = count.multipliedReportingOverflow(by: size)
                guard !isTooMuch, let block = HTTP2Memory.of(me).allocate(bytes) else { return nil }
                memset(block, 0, bytes)
                return block
            },
            realloc: { block, size, me in HTTP2Memory.of(me).reallocate(block, size) })
        return body(&callbacks)
    }

    private static func of(_ me: UnsafeMutableRawPointer?) -> HTTP2Memory {
        guard let me else { preconditionFailure("nghttp2 passes on what it was given") }
        return Unmanaged<HTTP2Memory>.fromOpaque(me).takeUnretainedValue()
    }

    /// - Returns: nil if there is no memory.
    func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        guard size >= Self.pagedBytesMin else { return malloc(size) }
        guard let start = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            start != MAP_FAILED
        else { return nil }
        paged.append(UnsafeMutableRawBufferPointer(start: start, count: size))
        return start
    }

    func free(_ block: UnsafeMutableRawPointer?) {
        guard let index = index(of: block) else { return Foundation.free(block) }
        let pages = paged.remove(at: index)
        munmap(pages.baseAddress, pages.count)
    }

    /// A block of the heap stays there, however long it gets.
    func reallocate(_ block: UnsafeMutableRawPointer?, _ size: Int) -> UnsafeMutableRawPointer? {
        guard let block else { return allocate(size) }
        guard let index = index(of: block) else { return realloc(block, size) }
        let former = paged[index].count
        guard let new = allocate(size) else { return nil }
        memcpy(new, block, min(former, size))
        free(block)
        return new
    }

    private func index(of block: UnsafeMutableRawPointer?) -> Int? {
        paged.firstIndex { $0.baseAddress == block }
    }
}

internal import CNGHTTP2
internal import Foundation

/// nghttp2's memory. It holds a buffer for a whole frame per connection and writes only the heads of frames into it, since
/// bodies go past it (`NGHTTP2_DATA_FLAG_NO_COPY`). Blocks of that size get pages of their own, of which a connection
/// that waits has touched one; out of the heap it would get four that something else had touched.
enum HTTP2Memory {
    /// Blocks from here on get pages of their own.
    static let pagedBytesMin = 16_384
    /// As large as what malloc aligns to.
    static let prefixBytes = 16

    /// Stands in front of every block.
    private struct Prefix {
        var whole: Int
        var isPaged: Bool
    }

    /// For a session to copy.
    static func withCallbacks<Result>(_ body: (UnsafeMutablePointer<nghttp2_mem>) -> Result) -> Result {
        var callbacks = nghttp2_mem(
            mem_user_data: nil, malloc: { size, _ in HTTP2Memory.allocate(size) },
            free: { block, _ in HTTP2Memory.free(block) },
            calloc: { count, size, _ in
                let (bytes, isTooMuch) = count.multipliedReportingOverflow(by: size)
                guard !isTooMuch, let block = HTTP2Memory.allocate(bytes) else { return nil }
                memset(block, 0, bytes)
                return block
            },
            realloc: { block, size, _ in HTTP2Memory.reallocate(block, size) })
        return body(&callbacks)
    }

    static func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        let (whole, isTooMuch) = size.addingReportingOverflow(prefixBytes)
        guard !isTooMuch else { return nil }
        let isPaged = size >= pagedBytesMin
        let start =
            isPaged ? mmap(nil, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : malloc(whole)
        guard let start, start != MAP_FAILED else { return nil }
        start.storeBytes(of: Prefix(whole: whole, isPaged: isPaged), as: Prefix.self)
        return start + prefixBytes
    }

    static func free(_ block: UnsafeMutableRawPointer?) {
        guard let start = block.map({ $0 - prefixBytes }) else { return }
        let prefix = start.load(as: Prefix.self)
        if prefix.isPaged { munmap(start, prefix.whole) } else { Foundation.free(start) }
    }

    static func reallocate(_ block: UnsafeMutableRawPointer?, _ size: Int) -> UnsafeMutableRawPointer? {
        guard let new = allocate(size) else { return nil }
        guard let block else { return new }
        let former = (block - prefixBytes).load(as: Prefix.self).whole - prefixBytes
        memcpy(new, block, min(former, size))
        free(block)
        return new
    }
}

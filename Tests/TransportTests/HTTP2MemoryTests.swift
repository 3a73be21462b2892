import Foundation
import Testing

@testable import Transport

/// nghttp2's blocks, small ones from the heap and large ones with pages of their own.
struct HTTP2MemoryTests {
    @Test(
        "a block that grows and shrinks across the border keeps what is in it, whichever side it began on",
        arguments: [100, HTTP2Memory.pagedBytesMin])
    func growth(from first: Int) throws {
        let memory = HTTP2Memory()
        let border = HTTP2Memory.pagedBytesMin
        var block = try #require(memory.allocate(first))
        for index in 0..<100 { block.storeBytes(of: UInt8(index), toByteOffset: index, as: UInt8.self) }
        for size in [border - 1, border, 4 * border, border - 1, 300, 100] {
            block = try #require(memory.reallocate(block, size))
            #expect(UInt(bitPattern: block) % 16 == 0)
            #expect((0..<100).allSatisfy { block.load(fromByteOffset: $0, as: UInt8.self) == UInt8($0) })
            block.storeBytes(of: 99, toByteOffset: 99, as: UInt8.self)
            memset(block + 100, 0xff, size - 100)
        }
        memory.free(block)
        memory.free(nil)
    }

    @Test("more than there can be is refused")
    func overflow() {
        let memory = HTTP2Memory()
        #expect(memory.allocate(.max) == nil)
        #expect(memory.allocate(.max - 4_096) == nil)
        #expect(memory.reallocate(nil, .max) == nil)
    }
}

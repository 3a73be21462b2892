import Replication
import TestSupport
import Testing

/// Frames that stand alone share what zstd works with. Source: Protocols/sync.md §3.
@Suite struct CompressionTests {
    /// Half noise, half repetition.
    private static func bytes(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
        (0..<count).map { $0 % 2 == 0 ? UInt8.random(in: 0...255, using: &random) : UInt8(truncatingIfNeeded: $0 >> 6) }
    }

    private static func expectWhole(_ content: [UInt8]) throws {
        #expect(try Compression.decompress(Compression.compress(content), countMax: content.count) == content)
    }

    @Test("a frame is the same whatever was compressed before it", arguments: 1...8)
    func alike(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let content = Self.bytes(Int.random(in: 0...3_000, using: &random), &random)
        let frame = Compression.compress(content)
        for count in [0, 1, 100_000, 1_000_000] {
            try Self.expectWhole(Self.bytes(count, &random))
            #expect(Compression.compress(content) == frame)
        }
    }

    @Test("a frame behind a broken one is unpacked", arguments: 1...8)
    func behindNoise(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let content = Self.bytes(2_000, &random)
        let frame = Compression.compress(content)
        for _ in 0..<50 {
            var broken = frame
            broken[Int.random(in: 0..<frame.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            broken.removeLast(Int.random(in: 0..<frame.count, using: &random))
            _ = try? Compression.decompress(broken, countMax: content.count)
            #expect(try Compression.decompress(frame, countMax: content.count) == content)
        }
    }

    @Test("many at once do not get into each other's way")
    func concurrent() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for seed in 1...UInt64(8) {
                group.addTask {
                    var random = SeededGenerator(seed: seed)
                    for _ in 0..<100 {
                        try Self.expectWhole(Self.bytes(Int.random(in: 0...20_000, using: &random), &random))
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}

import Foundation
import FuzzTargets
import TestSupport
import Testing

/// What the fuzzers have found and kept, and a bounded number of changed copies of it, through every target.
@Suite struct CorpusTests {
    /// Changed copies of all inputs of a target, the same number of each.
    private static let changesPerTarget = 1_500
    /// The fuzzers keep to some thousands of bytes.
    private static let longInputBytes = 1 << 17

    /// Source: Tests/Corpus, a folder a target.
    private static func corpus(_ target: FuzzTarget) throws -> [[UInt8]] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Corpus/\(target.rawValue)").standardized
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { name in
            Array(try Data(contentsOf: folder.appendingPathComponent(name)))
        }
    }

    @Test("every input that was kept, and changed copies of it, are taken or refused", arguments: FuzzTarget.allCases)
    func corpus(target: FuzzTarget) throws {
        let inputs = try Self.corpus(target)
        #expect(!inputs.isEmpty)
        var generator = SeededGenerator(seed: 1)
        for input in inputs {
            try target.run(input)
            for _ in 0..<max(1, Self.changesPerTarget / inputs.count) {
                try target.run(changed(input, with: inputs, using: &generator))
            }
        }
    }

    @Test("an input that goes on for 128 KiB is taken or refused", arguments: FuzzTarget.allCases)
    func long(target: FuzzTarget) throws {
        let inputs = try Self.corpus(target).filter { !$0.isEmpty }.sorted { $0.count < $1.count }
        for input in [try #require(inputs.first), inputs[inputs.count / 2], inputs[inputs.count - 1]] {
            for part in [input, Array(input.suffix(1))] {
                let copies = [[UInt8]](repeating: part, count: Self.longInputBytes / part.count)
                try target.run(input + copies.joined())
            }
        }
    }

    /// Bits flipped, bytes set, runs cut out, repeated, or taken from another input.
    private func changed(
        _ input: [UInt8], with others: [[UInt8]], using generator: inout SeededGenerator
    ) -> [UInt8] {
        var bytes = input
        for _ in 0...Int.random(in: 0..<4, using: &generator) {
            guard !bytes.isEmpty else { break }
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            let end = min(bytes.count, place + Int.random(in: 1...32, using: &generator))
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[place] = [0, 0xFF, 0x7F, 0x80].randomElement(using: &generator) ?? 0
            case 2: bytes.removeSubrange(place..<end)
            case 3: bytes.insert(contentsOf: bytes[place..<end], at: place)
            case 4: bytes = Array(bytes.prefix(place))
            default:
                guard let other = others.randomElement(using: &generator), !other.isEmpty else { continue }
                let from = Int.random(in: 0..<other.count, using: &generator)
                bytes.replaceSubrange(place..<end, with: other[from...].prefix(end - place))
            }
        }
        return bytes
    }
}

import TestSupport

/// What somebody writes who knows HTTP/2 and means harm: mostly frames that are right, so that a connection gets
/// somewhere, and between them frames that are wrong in one place, in all of them, or only where they stand.
struct FrameGenerator {
    /// Steps of a burst, each a frame or a few.
    private static let stepsMax = 200
    /// How rarely something is wrong: one step in so many, the same for a whole burst.
    private static let rarities = [5, 25, 100, 400]
    /// The same frame over and over.
    private static let repetitionsMax = 100
    private static let randomPayloadBytesMax = 80
    /// Streams of random frames: few, so that they meet those that are open.
    private static let streamsMax: UInt32 = 24

    private var random: SeededGenerator
    private var nextStream: UInt32 = 1
    /// Requests whose body has not ended, as far as the one who writes them knows.
    private var open: [UInt32] = []
    /// Whether each frame is as long as it says, so that the next one is read as one.
    private(set) var isFramed = true

    private let rarity: Int

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        rarity = Self.rarities.randomElement(using: &random)!
    }

    /// - Returns: pieces, each a frame or what is left of one; the preface is the first.
    mutating func burst() -> [[UInt8]] {
        var pieces = [
            preface(), Frame.bytes(Frame.settingsType, chance(3) ? settings() : []),
            Frame.bytes(Frame.settingsType, flags: Frame.acknowledgement),
        ]
        for _ in 0..<number(below: Self.stepsMax) { pieces += step() }
        return pieces
    }

    /// - Returns: 1 to `most`.
    mutating func size(most: Int) -> Int { 1 + number(below: most) }

    mutating func chance(_ of: Int) -> Bool { number(below: of) == 0 }

    // MARK: Steps

    private mutating func preface() -> [UInt8] {
        guard chance(100) else { return RawPeer.preface }
        isFramed = false
        return changed(RawPeer.preface)
    }

    private mutating func step() -> [[UInt8]] {
        if chance(rarity) {
            switch number(below: 9) {
            case 0: return Array(repeating: control(), count: size(most: Self.repetitionsMax))
            case 1...2: return interleaved()
            case 3...4: return [anything()]
            default: return spoiled()
            }
        }
        // More bodies than requests: otherwise there are too many streams before long.
        return switch number(below: 10) {
        case 0..<2: request()
        case 2..<7: body()
        case 7..<9: [control()]
        default: divided()
        }
    }

    private mutating func request() -> [[UInt8]] {
        let stream = openStream()
        var block = block()
        var flags = Frame.endHeaders
        if chance(5) {
            block = Frame.number(UInt32(number(below: 30))) + [UInt8(number(below: 256))] + block
            flags |= Frame.prioritized
        }
        if chance(5) {
            let padding = number(below: 10)
            block = [UInt8(padding)] + block + Array(repeating: 0, count: padding)
            flags |= Frame.padded
        }
        if open.count > 12 || chance(2) { flags |= Frame.endStream } else { open.append(stream) }
        return [Frame.headers(stream, block, flags: flags)]
    }

    private mutating func body() -> [[UInt8]] {
        guard let stream = open.randomElement(using: &random) else { return request() }
        switch number(below: 8) {
        case 0:
            open.removeAll { $0 == stream }
            return [Frame.headers(stream, HPACK.literal("x-sum", "7"), flags: 5)]
        case 1:
            open.removeAll { $0 == stream }
            return [Frame.reset(stream)]
        case 2:
            open.removeAll { $0 == stream }
            return [Frame.data(stream, bytes(below: 50), flags: Frame.endStream)]
        case 3: return [Frame.data(stream, [2] + bytes(below: 50) + [0, 0], flags: Frame.padded)]
        case 4: return [Frame.windowUpdate(stream, by: UInt32(size(most: 70_000)))]
        default: return [Frame.data(stream, bytes(below: 2_000))]
        }
    }

    private mutating func control() -> [UInt8] {
        switch number(below: 8) {
        case 0, 1: Frame.ping(isAnswer: chance(4))
        case 2: Frame.bytes(Frame.settingsType, settings())
        case 3: chance(rarity) ? Frame.bytes(Frame.settingsType, flags: Frame.acknowledgement) : Frame.ping()
        case 4: Frame.windowUpdate(0, by: UInt32(size(most: 70_000)))
        case 5: Frame.priority(nextStream)
        case 6: Frame.bytes(UInt8(10 + number(below: 246)), stream: anyStream(), bytes(below: 20))
        default: chance(rarity) ? Frame.goAway() : Frame.priority(nextStream)
        }
    }

    /// A request in CONTINUATIONs.
    private mutating func divided() -> [[UInt8]] {
        let (stream, block) = (openStream(), block())
        let cut = number(below: block.count)
        let middle = number(below: 3)
        return [Frame.headers(stream, Array(block[..<cut]), flags: Frame.endStream)]
            + (0..<middle).map { _ in Frame.continuation(stream) }
            + [Frame.continuation(stream, Array(block[cut...]), flags: Frame.endHeaders)]
    }

    /// The same with something in between.
    private mutating func interleaved() -> [[UInt8]] {
        var frames = divided()
        let other = chance(2) ? control() : Frame.continuation(anyStream(), block(), flags: Frame.endHeaders)
        frames.insert(other, at: 1 + number(below: frames.count - 1))
        return frames
    }

    /// A frame with an octet changed, or cut off.
    private mutating func spoiled() -> [[UInt8]] {
        var frames = chance(2) ? request() : chance(2) ? body() : [control()]
        let index = number(below: frames.count)
        if chance(12) {
            isFramed = false
            frames[index].removeLast(size(most: frames[index].count))
        } else {
            let place = number(below: frames[index].count)
            // The first three octets are the length.
            if place < 3 { isFramed = false }
            frames[index][place] ^= UInt8(size(most: 255))
        }
        return frames
    }

    private mutating func anything() -> [UInt8] {
        Frame.bytes(
            UInt8(number(below: 11)), flags: UInt8(number(below: 256)), stream: anyStream(),
            bytes(below: Self.randomPayloadBytesMax))
    }

    // MARK: Parts

    private mutating func block() -> [UInt8] {
        var block = chance(3) ? Frame.post : chance(2) ? Request.get : Request.post
        for _ in 0..<number(below: 4) {
            switch chance(rarity) ? number(below: 4) : 4 + number(below: 4) {
            case 0: block += HPACK.literal("content-length", "\(number(below: 9))")
            case 1: block += HPACK.indexed(number(below: 70))
            case 2: block += [HPACK.Indexing.incremental.pattern] + HPACK.huffman(bytes(below: 9)) + HPACK.string("v")
            case 3: block += bytes(below: 6)
            case 4: block += HPACK.literal("x", String(decoding: bytes(below: 30), as: UTF8.self), .never)
            case 5:
                block +=
                    [HPACK.Indexing.incremental.pattern] + HPACK.huffman(HPACK.huffmanCustomKey) + HPACK.string("v")
            default: block += HPACK.literal("x-\(number(below: 50))", "value", .incremental)
            }
        }
        return chance(20) ? HPACK.tableSize(number(below: chance(rarity) ? 9_000 : 4_097)) + block : block
    }

    private mutating func settings() -> [UInt8] {
        (0..<number(below: 4)).flatMap { _ in
            let (identifier, value): (UInt16, UInt32) = Self.settings[number(below: Self.settings.count)]
            return ConformanceCase.setting(identifier, chance(rarity) ? value ^ 1 << UInt32(number(below: 32)) : value)
        }
    }

    /// Identifiers and values that a client may use.
    private static let settings: [(UInt16, UInt32)] = [
        (1, 0), (1, 100), (1, 65_536), (2, 0), (3, 0), (3, 100), (4, 0), (4, 1), (4, 65_535), (4, 1 << 20),
        (5, 16_384), (5, 1 << 20), (6, 1), (6, 65_536), (7, 9), (9, 1),
    ]

    private mutating func openStream() -> UInt32 {
        defer { nextStream += 2 * UInt32(size(most: 2)) }
        return nextStream
    }

    private mutating func anyStream() -> UInt32 {
        chance(40) ? UInt32.random(in: 0 ... .max, using: &random) : UInt32(number(below: Int(Self.streamsMax)))
    }

    private mutating func changed(_ bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        result[number(below: bytes.count)] ^= UInt8(size(most: 255))
        return result
    }

    private mutating func bytes(below count: Int) -> [UInt8] {
        (0..<number(below: count)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    /// - Returns: 0 to `count` - 1.
    private mutating func number(below count: Int) -> Int { Int(random.next() % UInt64(count)) }
}

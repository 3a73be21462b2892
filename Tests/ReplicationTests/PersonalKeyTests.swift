@testable import Replication
import TestSupport
import Testing

/// Source: Protocols/personal-data.md.
@Suite struct PersonalKeyTests {
    private static let customer = EntityID(type: .customer, high: 1, low: 2)
    private static let place = SealedPlace(entity: EntityID(type: .ticket, high: 3, low: 4), field: 7)

    private static func key(_ octet: UInt8, of subject: EntityID = customer) -> PersonalKey {
        PersonalKey(subject: subject, secret: [UInt8](repeating: octet, count: 32))
    }

    private static func sealed(_ text: String, under key: PersonalKey) -> SealedValue {
        SealedValue(text, under: key, at: place, nonce: Array(1...12))
    }

    @Test("a sealed value opens with its key and at its place, and nowhere else")
    func opens() throws {
        let key = Self.key(1)
        let value = Self.sealed("张三丰 13800138000", under: key)
        #expect(value.open(with: key.secret, at: Self.place) == "张三丰 13800138000")
        #expect(SealedValue(value.bytes) == value && value.key == key.id)
        #expect(value.open(with: Self.key(2).secret, at: Self.place) == nil)
        var other = Self.place
        other.field = 8
        #expect(value.open(with: key.secret, at: other) == nil)
        other = Self.place
        other.entity = EntityID(type: .ticket, high: 3, low: 5)
        #expect(value.open(with: key.secret, at: other) == nil)
        for index in value.bytes.indices {
            var bytes = value.bytes
            bytes[index] ^= 1
            #expect(SealedValue(bytes)?.open(with: key.secret, at: Self.place) == nil, "octet \(index)")
        }
        #expect(SealedValue(Array(value.bytes.prefix(SealedValue.overheadBytes - 1))) == nil)
        #expect(Self.sealed("", under: key).open(with: key.secret, at: Self.place) == "")
    }

    @Test("a key's name is of its octets and of whose it is")
    func names() {
        let other = EntityID(type: .customer, high: 1, low: 3)
        #expect(Self.key(1).id == Self.key(1).id)
        #expect(Self.key(1).id != Self.key(2).id && Self.key(1).id != Self.key(1, of: other).id)
        #expect(PersonalKeyID(hexadecimal: Self.key(1).id.description) == Self.key(1).id)
    }

    @Test("a key's name is 16 octets or 32 digits, and names are ordered by them")
    func nameForms() throws {
        let id = Self.key(1).id
        #expect(PersonalKeyID(id.bytes) == id && PersonalKeyID(id.bytes.dropLast()) == nil)
        for text in ["", String(id.description.dropLast()), String(id.description.dropLast()) + "g"] {
            #expect(PersonalKeyID(hexadecimal: text) == nil, "\(text)")
        }
        let names = try [[0, 2], [0, 1], [1, 0]].map { halves in
            try #require(PersonalKeyID(halves.flatMap { [UInt8](repeating: 0, count: 7) + [$0] }))
        }
        #expect(names.sorted() == [names[1], names[0], names[2]])
    }

    @Test("what is known of keys is joined in any order, and erased wins", arguments: UInt64(0)..<40)
    func laws(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let secret = Self.key(1).secret
        let states = (0..<6).map { _ -> PersonalKeyState in
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: .wanted
            case 1: .held(secret: secret)
            default:
                .erased(
                    KeyErasure(
                        confirmation: Dot(
                            ReplicaID(.random(in: 1...3, using: &generator)), .random(in: 1...3, using: &generator)),
                        milliseconds: .random(in: 1...3, using: &generator)))
            }
        }
        func join(_ left: PersonalKeyState, _ right: PersonalKeyState) -> PersonalKeyState {
            var result = left
            result.merge(right)
            return result
        }
        for first in states {
            #expect(join(first, first) == first, "idempotent, seed \(seed)")
            for second in states {
                #expect(join(first, second) == join(second, first), "commutative, seed \(seed)")
                if case .erased = second {
                    let isErased = if case .erased = join(first, second) { true } else { false }
                    #expect(isErased, "erased wins, seed \(seed)")
                }
                for third in states {
                    #expect(
                        join(join(first, second), third) == join(first, join(second, third)),
                        "associative, seed \(seed)")
                }
            }
        }
    }

    @Test("keys and requests go over the wire and come back; another key under the same name is malformed")
    func codec() throws {
        let key = Self.key(1)
        let erased = PersonalKeyEntry(
            id: Self.key(2).id, subject: nil,
            state: .erased(KeyErasure(confirmation: Dot(ReplicaID(5), 6), milliseconds: 7)))
        let frame = try SyncCodec.encode(.keys([PersonalKeyEntry(key), erased], beforeBatch: true))
        var decoder = SyncDecoder()
        guard case .keys(let entries, beforeBatch: true) = try decoder.decode(Array(frame.dropFirst(4))) else {
            Issue.record("another message")
            return
        }
        #expect(entries == [PersonalKeyEntry(key), erased])
        let request = try SyncCodec.encode(.keyRequest([key.id]))
        guard case .keyRequest([key.id]) = try decoder.decode(Array(request.dropFirst(4))) else {
            Issue.record("another message")
            return
        }
        var forged = PersonalKeyEntry(key)
        forged.state = .held(secret: Self.key(3).secret)
        let false_ = try SyncCodec.encode(.keys([forged], beforeBatch: false))
        #expect(throws: DecodingFailure.invalid(field: "keys.secret")) {
            var decoder = SyncDecoder()
            _ = try decoder.decode(Array(false_.dropFirst(4)))
        }
    }

    @Test("a secret on the disk opens under the disk's key and its own name only")
    func wrapping() {
        let key = Self.key(1)
        let disk = [UInt8](repeating: 9, count: 32)
        let wrapped = WrappedSecret.wrap(key.secret, of: key.id, under: disk, nonce: Array(1...12))
        #expect(wrapped.count == WrappedSecret.byteCount)
        #expect(WrappedSecret.unwrap(wrapped, of: key.id, under: disk) == key.secret)
        #expect(WrappedSecret.unwrap(wrapped, of: Self.key(2).id, under: disk) == nil)
        #expect(WrappedSecret.unwrap(wrapped, of: key.id, under: key.secret) == nil)
        #expect(WrappedSecret.unwrap([UInt8](repeating: 0, count: 60), of: key.id, under: disk) == nil)
        #expect(WrappedSecret.unwrap(Array(wrapped.dropLast()), of: key.id, under: disk) == nil)
        #expect(WrappedSecret.unwrap(wrapped, of: key.id, under: Array(disk.dropLast())) == nil)
    }
}

import Replication
import TestSupport
import Testing

/// A type whose values are joined; the laws below hold for any order and repetition.
private func expectJoinLaws<State: Equatable>(
    _ states: [State], seed: UInt64, merge: (inout State, State) -> Void,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    func join(_ left: State, _ right: State) -> State {
        var result = left
        merge(&result, right)
        return result
    }
    for first in states {
        #expect(join(first, first) == first, "idempotent, seed \(seed)", sourceLocation: sourceLocation)
        for second in states {
            #expect(
                join(first, second) == join(second, first), "commutative, seed \(seed)", sourceLocation: sourceLocation)
            for third in states {
                #expect(
                    join(join(first, second), third) == join(first, join(second, third)), "associative, seed \(seed)",
                    sourceLocation: sourceLocation)
            }
        }
    }
}

@Suite struct LawTests {
    static let seeds: Range<UInt64> = 0..<40

    private static func vector(_ generator: inout SeededGenerator) -> VersionVector {
        VersionVector(
            (0..<Int.random(in: 0...4, using: &generator)).map { _ in
                Dot(ReplicaID(.random(in: 1...4, using: &generator)), .random(in: 0...6, using: &generator))
            })
    }

    /// Writes as replicas make them: each has seen its own earlier ones and some of the others'.
    private static func writes(_ generator: inout SeededGenerator) -> [(dot: Dot, seen: VersionVector)] {
        var sequences: [UInt64: UInt64] = [:]
        return (0..<12).map { _ in
            let replica = UInt64.random(in: 1...3, using: &generator)
            var seen = VersionVector(
                sequences.filter { _ in Bool.random(using: &generator) }.map { Dot(ReplicaID($0.key), $0.value) })
            if let own = sequences[replica] { seen.record(Dot(ReplicaID(replica), own)) }
            sequences[replica, default: 0] += 1
            return (Dot(ReplicaID(replica), sequences[replica] ?? 0), seen)
        }
    }

    @Test("version vectors join", arguments: seeds)
    func versionVectors(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let states = (0..<5).map { _ in Self.vector(&generator) }
        expectJoinLaws(states, seed: seed) { $0.merge($1) }
        for state in states {
            var join = state
            join.merge(states[0])
            #expect(state.dominates(state) && join.dominates(states[0]) && join.dominates(state))
            #expect(state.entries == state.entries.sorted())
        }
    }

    @Test("multi-value registers join, and any order of writes gives the same register", arguments: seeds)
    func registers(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let writes = Self.writes(&generator)
        func register(_ writes: [(dot: Dot, seen: VersionVector)]) -> MultiValueRegister<UInt64> {
            var register = MultiValueRegister<UInt64>()
            for write in writes {
                register.write(
                    write.dot.sequence, dot: write.dot, time: HybridTimestamp(rawValue: write.dot.sequence),
                    seen: write.seen)
            }
            return register
        }
        let whole = register(writes)
        #expect(register(writes.shuffledWithRepetitions(using: &generator)) == whole, "seed \(seed)")
        let parts = (0..<5).map { _ in register(writes.filter { _ in Bool.random(using: &generator) }) }
        expectJoinLaws(parts, seed: seed) { $0.merge($1) }
        #expect(!whole.writes.isEmpty, "the last write of all survives")
    }

    @Test("add-wins sets join, and an addition that a removal had not seen stays", arguments: seeds)
    func addWinsSets(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let writes = Self.writes(&generator)
        func set(_ writes: [(dot: Dot, seen: VersionVector)]) -> AddWinsSet<String> {
            var set = AddWinsSet<String>()
            for write in writes {
                let element = write.dot.sequence % 2 == 0 ? "even" : "odd"
                if write.dot.replica.rawValue == 3 {
                    set.remove(element, seen: write.seen)
                } else {
                    set.add(element, dot: write.dot)
                }
            }
            return set
        }
        #expect(set(writes.shuffledWithRepetitions(using: &generator)) == set(writes), "seed \(seed)")
        let parts = (0..<5).map { _ in set(writes.filter { _ in Bool.random(using: &generator) }) }
        expectJoinLaws(parts, seed: seed) { $0.merge($1) }
    }

    @Test("a clock only grows, follows others, and is not pushed further ahead than its limit")
    func clock() {
        let wall: Int64 = 1_800_000_000_000
        var clock = HybridClock()
        let first = clock.tick(wall: wall)
        #expect(
            clock.tick(wall: wall) > first && clock.tick(wall: wall - 1_000) > first, "a wall clock that steps back")
        let furthest = HybridTimestamp(milliseconds: wall + HybridClock.leadMillisecondsMax, counter: 3)
        let isFlagged = clock.observe(furthest, wall: wall)
        #expect(!isFlagged && clock.last == furthest && clock.tick(wall: wall) > furthest)
        let before = clock.last
        let beyond = HybridTimestamp(milliseconds: wall + HybridClock.leadMillisecondsMax + 1)
        let isBeyondFlagged = clock.observe(beyond, wall: wall)
        #expect(isBeyondFlagged && clock.last == before)
    }

    @Test("digests of one set are equal whatever the order, and of disjoint parts add up", arguments: seeds)
    func setDigests(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let hashes = (0..<20).map { _ in
            ContentHash(words: (generator.next(), generator.next(), generator.next(), .max - generator.next() % 3))
        }
        func digest(_ hashes: some Sequence<ContentHash>) -> SetDigest {
            var digest = SetDigest.empty
            for hash in hashes { digest.insert(hash) }
            return digest
        }
        #expect(digest(hashes) == digest(hashes.shuffled(using: &generator)), "seed \(seed)")
        var joined = digest(hashes[..<7])
        joined.merge(disjoint: digest(hashes[7...]))
        #expect(joined == digest(hashes), "seed \(seed)")
    }
}

import class Foundation.FileManager
import func Foundation.NSTemporaryDirectory
import struct Foundation.Data
import struct Foundation.URL
import struct Foundation.UUID
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// Bits of the log's records on the disk. SQLite itself calls most records malformed whose header has another one.
@Suite struct MalformedRowTests {
    private let base: TestStore
    private let log: [Operation]
    private let hashes: [ContentHash]
    private let projection: String

    init() throws {
        base = try TestStore("hz.zj", replica: 11, parent: "zj")
        (log, hashes) = try sixTickets()
        try base.commit(log)
        projection = try base.projection()
        try RawConnection(base.folder).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    @Test("whichever bit of a record's header or dot flips, the row is found, and a sound copy heals it")
    func bits() throws {
        let arrival = 6
        let record = try record(of: arrival, in: Data(contentsOf: URL(fileURLWithPath: base.folder.database)))
        var foundCount = 0
        for bit in 0..<(record.dot.upperBound - record.start) * 8 {
            let copy = try Copy(of: base, flipping: [(record.start + bit / 8, UInt8(1 << (bit % 8)))])
            let found = try copy.scrub()
            guard !found.isEmpty else {
                // Of how the row came here, which no hash covers.
                #expect(
                    try copy.reader.operations(after: Int64(arrival) - 1, limit: 1).first?.operation == log[arrival - 1]
                )
                continue
            }
            foundCount += 1
            #expect(found == [Int64(arrival)], "bit \(bit)")
            _ = try copy.writer.noteDamaged(found, now: 7)
            // With its dot again, it may be what it was.
            guard try !copy.reader.damaged().isEmpty else {
                try copy.expectWhole(projection)
                continue
            }
            #expect(try copy.reader.damaged().map(\.dot) == [log[arrival - 1].dot], "bit \(bit)")
            // Its ticket stays as it is meanwhile.
            for id in try copy.reader.scrubEntities(after: 0, limit: 1_000).wrong {
                #expect(id == log[arrival - 1].entity)
                #expect(try !copy.writer.refold(id, now: 0))
                #expect(try !copy.writer.refold(id, now: 0, trustsState: false))
            }
            #expect(try copy.reader.projectionForTests() == projection)
            for (index, operation) in log.enumerated() where index != arrival - 1 {
                #expect(try !copy.writer.heal(operation, hash: hashes[index]))
            }
            var changed = log[arrival - 1]
            changed.body.append(0)
            var hasher = ContentHasher()
            #expect(try !copy.writer.heal(changed, hash: hasher.hash(changed)))
            #expect(try copy.writer.heal(log[arrival - 1], hash: hashes[arrival - 1]), "bit \(bit)")
            try copy.expectWhole(projection)
        }
        #expect(foundCount > 80)
    }

    @Test("several malformed rows are found by one pass, and the first that is noted makes all of them readable")
    func several() throws {
        let file = try Data(contentsOf: URL(fileURLWithPath: base.folder.database))
        let flips = try [3, 6, 12].map { (try record(of: $0, in: file).start, UInt8(1)) }
        let copy = try Copy(of: base, flipping: flips)
        #expect(throws: (any Error).self) { try copy.reader.operations(after: 0, limit: 100) }
        #expect(try copy.scrub() == [3, 6, 12])
        #expect(try copy.writer.noteDamaged([3], now: 7) == [3, 6, 12])
        #expect(try copy.reader.operations(after: 3, limit: 2).count == 2)
        #expect(try copy.scrub() == [3, 6, 12])
        #expect(try copy.writer.noteDamaged([6, 12], now: 7).isEmpty)
        for arrival in [12, 3, 6] {
            #expect(try copy.writer.heal(log[arrival - 1], hash: hashes[arrival - 1]))
        }
        try copy.expectWhole(projection)
    }

    @Test("a rebuild goes over malformed rows, and sound copies make it whole")
    func rebuilt() throws {
        let file = try Data(contentsOf: URL(fileURLWithPath: base.folder.database))
        let flips = try [6, 12].map { (try record(of: $0, in: file).start, UInt8(1)) }
        let copy = try Copy(of: base, flipping: flips)
        try copy.writer.rebuild(now: 9)
        #expect(try copy.reader.damaged().map(\.arrival) == [6, 12])
        // No digest tells which operations these were, since the rows that can be read are all that went into them: what has
        // their dots is it.
        for arrival in [12, 6] {
            for (index, operation) in log.enumerated() where ![5, 11].contains(index) {
                #expect(try !copy.writer.heal(operation, hash: hashes[index]))
            }
            #expect(try copy.writer.heal(log[arrival - 1], hash: hashes[arrival - 1]))
        }
        try copy.expectWhole(projection)
    }

    @Test("a malformed row that was still to be folded keeps no store from opening")
    func behind() throws {
        let store = try TestStore("hz.zj", replica: 11, parent: "zj")
        try store.writer.commit([store.batch(log)], now: 0, deferringProjection: true)
        try RawConnection(store.folder).execute("PRAGMA wal_checkpoint(TRUNCATE)")
        let file = try Data(contentsOf: URL(fileURLWithPath: store.folder.database))
        let copy = try Copy(of: store, flipping: [(try record(of: 6, in: file).start, 1)])
        try copy.writer.catchUpProjection()
        #expect(try copy.reader.damaged().map(\.arrival) == [6])
        #expect(try copy.writer.heal(log[5], hash: hashes[5]))
        try copy.expectWhole(projection)
    }

    @Test("a malformed row of this node's own, its first or its last, neither keeps it from starting nor is it a fork")
    func own() throws {
        let file = try Data(contentsOf: URL(fileURLWithPath: base.folder.database))
        for (arrival, bit) in [(1, 1), (1, 4), (13, 1), (13, 4)] {
            let copy = try Copy(of: base, flipping: [(try record(of: arrival, in: file).start, UInt8(bit))])
            #expect(copy.reader.identity == base.reader.identity)
            _ = try copy.writer.lastOwnTime()
            let held = HeldOperation(sequence: UInt64(arrival), hash: hashes[arrival - 1])
            #expect(try copy.reader.judge(held) == .sound)
            #expect(try copy.reader.damaged().map(\.arrival) == [Int64(arrival)])
            // To others it names a row that it can stand for.
            let sound = try copy.reader.held(of: ReplicaID(11), upTo: UInt64(arrival))
            #expect(sound == (arrival == 1 ? nil : HeldOperation(sequence: 12, hash: hashes[11])))
            // What it writes is behind what it had.
            try copy.writer.saveEpoch()
            try copy.flip([])
            #expect(copy.reader.identity == base.reader.identity)
            #expect(try copy.writer.heal(log[arrival - 1], hash: hashes[arrival - 1]))
            try copy.flip([])
            #expect(copy.reader.identity == base.reader.identity)
            try copy.expectWhole(projection)
        }
    }

    @Test("a row of which the index says nothing either is named, and nothing is written")
    func lost() throws {
        let file = try Data(contentsOf: URL(fileURLWithPath: base.folder.database))
        let copy = try Copy(of: base, flipping: [])
        try copy.takeEntry(of: 6)
        try copy.flip([(try record(of: 6, in: file).start, 1)])
        #expect(try copy.scrub() == [6])
        let error = #expect(throws: StoreError.self) { try copy.writer.noteDamaged([6], now: 7) }
        #expect("\(try #require(error))".contains("row 6 of the log"))
    }

    @Test("where pages are damaged as well nothing is written, and the error names the file and what to do")
    func pages() throws {
        let file = try Data(contentsOf: URL(fileURLWithPath: base.folder.database))
        // The length of the record stands before its number and its header.
        let copy = try Copy(of: base, flipping: [(try record(of: 6, in: file).start - 2, 1)])
        #expect(try copy.scrub() == [6])
        let before = try Data(contentsOf: URL(fileURLWithPath: copy.folder.database))
        let error = #expect(throws: StoreError.self) { try copy.writer.noteDamaged([6], now: 7) }
        #expect("\(try #require(error))".hasSuffix("put a sound backup back with `banjie backup restore`"))
        #expect("\(try #require(error))".hasPrefix(copy.folder.database))
        #expect(try copy.reader.damaged().isEmpty)
        #expect(try Data(contentsOf: URL(fileURLWithPath: copy.folder.database)) == before)
        // What can be read is recorded even so.
        try RawConnection(copy.folder).execute("UPDATE operation SET body = x'' WHERE arrival = 2")
        #expect(throws: StoreError.self) { try copy.writer.noteDamaged([2, 6], now: 7) }
        #expect(try copy.reader.damaged().map(\.arrival) == [2])
    }

    @Test("an entry that the index of dots has lost is put back")
    func index() throws {
        let copy = try Copy(of: base, flipping: [])
        try copy.takeEntry(of: 6)
        #expect(try copy.scrub() == [6])
        #expect(try copy.writer.noteDamaged([6], now: 7).isEmpty)
        try copy.expectWhole(projection)
    }

    // MARK: Records

    /// Where a record of the log lies in the file: from its header to the end of its dot.
    private func record(of arrival: Int, in file: Data) throws -> (start: Int, dot: Range<Int>) {
        let hash = try #require(file.range(of: Data(hashes[arrival - 1].bytes))).lowerBound
        for start in (hash - 64)..<hash {
            var offset = start
            let length = Self.varint(file, &offset)
            guard (12...32).contains(length) else { continue }
            var sizes: [Int] = []
            while offset < start + Int(length), sizes.count < 12 { sizes.append(Self.size(Self.varint(file, &offset))) }
            let content = start + Int(length)
            guard sizes.count == 11, offset == content, sizes[0] == 0, sizes[8] == 32,
                content + sizes[..<8].reduce(0, +) == hash
            else { continue }
            return (start, content..<(content + sizes[1] + sizes[2]))
        }
        throw BrokenTest()
    }

    private struct BrokenTest: Error {}

    private static func varint(_ file: Data, _ offset: inout Int) -> UInt64 {
        var value: UInt64 = 0
        repeat {
            value = value &<< 7 | UInt64(file[offset] & 0x7F)
            offset += 1
        } while file[offset - 1] & 0x80 != 0
        return value
    }

    private static func size(_ type: UInt64) -> Int {
        type >= 12 ? Int(clamping: (type - 12) / 2) : [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0][Int(type)]
    }
}

/// A store whose file is another's with some bits changed.
private final class Copy {
    let folder: DataFolder
    private var opened: (writer: StoreWriter, reader: StoreReader)?

    var writer: StoreWriter { opened!.writer }
    var reader: StoreReader { opened!.reader }

    init(of store: TestStore, flipping flips: [(offset: Int, bits: UInt8)]) throws {
        folder = DataFolder(path: NSTemporaryDirectory() + "banjie-store-\(UUID().uuidString)")
        try FileManager.default.copyItem(atPath: store.folder.path, toPath: folder.path)
        for name in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: folder.database + name) }
        try flip(flips)
    }

    func flip(_ flips: [(offset: Int, bits: UInt8)]) throws {
        try changing {
            var file = try Data(contentsOf: URL(fileURLWithPath: folder.database))
            for (offset, bits) in flips { file[offset] ^= bits }
            try file.write(to: URL(fileURLWithPath: folder.database))
        }
    }

    /// The index of dots forgets a row.
    func takeEntry(of arrival: Int64) throws {
        let index = "CREATE UNIQUE INDEX operation_dot ON operation (replica, sequence)"
        func define(_ sql: String) -> String {
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = '\(sql)' WHERE name = 'operation_dot'"
        }
        try changing {
            try RawConnection(folder).execute(define(index + " WHERE arrival <> \(arrival)"))
            try RawConnection(folder).execute("REINDEX operation_dot")
            try RawConnection(folder).execute(define(index))
        }
    }

    /// Closes the store meanwhile: what it has in memory would hide the change.
    private func changing(_ body: () throws -> Void) throws {
        opened = nil
        try body()
        let store = try Store.open(folder)
        opened = (store.writer, store.reader)
    }

    deinit {
        opened = nil
        try? FileManager.default.removeItem(atPath: folder.path)
    }

    func scrub() throws -> [Int64] {
        var found: [Int64] = []
        var arrival: Int64? = 0
        while let from = arrival {
            let step = try reader.scrubOperations(after: from, limit: 4)
            found += step.damaged
            arrival = step.next
        }
        return found
    }

    func expectWhole(_ projection: String) throws {
        #expect(try reader.damaged().isEmpty && scrub().isEmpty && reader.quickCheck().isEmpty)
        #expect(try reader.scrubEntities(after: 0, limit: 1_000).wrong.isEmpty)
        #expect(try reader.projectionForTests() == projection)
    }
}

import struct Foundation.Data
import class Foundation.FileManager
import struct Foundation.URL
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// Keys on the disk. Source: Protocols/personal-data.md §3, §5.
@Suite struct PersonalKeyStoreTests {
    private static let site = SiteCode(validated: "hz.zj")

    private static func key(_ number: UInt64) -> PersonalKey {
        var generator = SeededGenerator(seed: number)
        return PersonalKey(
            subject: EntityID(type: .customer, high: 1, low: number),
            secret: (0..<32).map { _ in .random(in: 0...255, using: &generator) })
    }

    private static func author(_ name: String) -> Author {
        Author(name: name, role: .admin, level: .region, site: site, department: "")
    }

    private static func operation(_ sequence: UInt64, _ body: Body, on entity: EntityID, by name: String) -> Operation {
        Operation(
            dot: Dot(ReplicaID(1), sequence), entity: entity, previous: 0, seen: VersionVector(),
            time: HybridTimestamp(milliseconds: 1_000 + Int64(sequence)), author: author(name), scope: [],
            kind: body.kind.operationKind, isCritical: body.kind.isCritical, body: body.encoded())
    }

    private static func opening(_ sequence: UInt64, under key: PersonalKey) -> Operation {
        let entity = EntityID(ticketOpenedBy: Dot(ReplicaID(1), sequence))
        let sealed = SealedValue(
            "13800138000", under: key, at: SealedPlace(entity: entity, field: Field.customerLabel.rawValue),
            nonce: [UInt8](repeating: 3, count: 12))
        return operation(
            sequence,
            .open(
                OpenBody(
                    title: "断网", customer: key.subject, sealedCustomerLabel: sealed, department: "SVC")),
            on: entity, by: "li")
    }

    /// A store that has announced itself and has this many customers.
    private static func store(_ count: UInt64) throws -> TestStore {
        let store = try TestStore("hz.zj", parent: "zj")
        try store.commit([announcement("hz.zj", replica: 1)])
        var hasher = ContentHasher()
        for start in stride(from: UInt64(2), to: count + 2, by: 500) {
            let numbers = Array(start..<min(start + 500, count + 2))
            let operations = numbers.map { opening($0, under: key($0)) }
            try store.writer.commit(
                [
                    MergeBatch(
                        source: .local, operations: operations, hashes: operations.map { hasher.hash($0) },
                        keys: numbers.map { PersonalKeyEntry(key($0)) })
                ], now: 0)
        }
        return store
    }

    private static func files(_ store: TestStore) throws -> [Data] {
        try ["", "-wal", "-shm"].compactMap { suffix in
            let path = store.folder.database + suffix
            return FileManager.default.fileExists(atPath: path)
                ? try Data(contentsOf: URL(fileURLWithPath: path)) : nil
        }
    }

    @Test("an erased key's octets leave the database and its log, among thousands of others; the others stay")
    func octetsLeave() throws {
        let store = try Self.store(3_000)
        let erased = Self.key(1_234)
        let wrapped = try #require(try store.reader.secretsForTests().first { $0.id == erased.id }).wrapped
        #expect(try Self.files(store).contains { $0.range(of: Data(wrapped)) != nil })
        try store.commit([
            Self.operation(
                5_000, .proposeErasure(ProposeErasureBody(keys: [erased.id])), on: erased.subject, by: "li"),
            Self.operation(
                5_001, .confirmErasure(ConfirmErasureBody(proposal: Dot(ReplicaID(1), 5_000))), on: erased.subject,
                by: "wang"),
        ])
        #expect(try store.reader.hasErasedPending())
        #expect(try store.writer.scrubErased() && !store.reader.hasErasedPending())
        for file in try Self.files(store) {
            #expect(file.range(of: Data(wrapped)) == nil && file.range(of: Data(erased.secret)) == nil)
        }
        #expect(try store.reader.secretsForTests().count == 2_999)
        // It never comes back.
        var hasher = ContentHasher()
        let again = Self.operation(5_002, .note(NoteBody(text: "x")), on: erased.subject, by: "li")
        try store.writer.commit(
            [
                MergeBatch(
                    source: .local, operations: [again], hashes: [hasher.hash(again)], keys: [PersonalKeyEntry(erased)])
            ], now: 0)
        #expect(try store.reader.key(named: erased.id)?.isErased == true)
        #expect(try store.reader.erasures().map(\.isConfirmed) == [true])
    }

    @Test("nobody's word on one customer erases another's key, and one signature erases nothing")
    func otherKeysStay() throws {
        let store = try Self.store(3)
        let (own, other) = (Self.key(2), Self.key(3))
        try store.commit([
            Self.operation(
                10, .proposeErasure(ProposeErasureBody(keys: [own.id, other.id].sorted())), on: own.subject, by: "li")
        ])
        #expect(try store.reader.secretsForTests().count == 3)
        try store.commit([
            Self.operation(
                11, .confirmErasure(ConfirmErasureBody(proposal: Dot(ReplicaID(1), 10))), on: own.subject, by: "wang")
        ])
        #expect(try store.reader.key(named: own.id)?.isErased == true)
        #expect(try store.reader.key(named: other.id)?.isHeld == true)
    }

    @Test("a child's word erases what its subtree takes part in, and a key that nothing is sealed under is not kept")
    func childrensWord() throws {
        let store = try Self.store(2)
        let key = Self.key(2)
        let child = try store.meet(SiteCode(validated: "xihu.hz.zj"), replica: 9)
        let erasure = PersonalKeyState.erased(KeyErasure(confirmation: Dot(ReplicaID(9), 9), milliseconds: 9))
        let entry = PersonalKeyEntry(id: key.id, subject: key.subject, state: erasure)
        #expect(try store.writer.saveKeys([entry], from: child, now: 0).erasedCount == 0)
        #expect(try store.reader.key(named: key.id)?.isHeld == true)
        #expect(try store.reader.keys(named: [key.id], for: child).isEmpty, "it has no part in the ticket")
        #expect(try store.reader.erasedKeys(for: child).isEmpty)
        let unknown = Self.key(77)
        _ = try store.writer.saveKeys([PersonalKeyEntry(unknown)], from: child, now: 0)
        #expect(try store.reader.key(named: unknown.id) == nil)
        // The child is let in.
        let ticket = EntityID(ticketOpenedBy: Dot(ReplicaID(1), 2))
        var note = Self.operation(20, .note(NoteBody(text: "x")), on: ticket, by: "li")
        note.scope = [SiteCode(validated: "xihu.hz.zj")]
        try store.commit([note])
        #expect(try store.reader.keys(named: [key.id], for: child) == [PersonalKeyEntry(key)])
        #expect(try store.writer.saveKeys([entry], from: child, now: 0).erasedCount == 1)
        #expect(try store.reader.erasedKeys(for: child) == [entry])
    }

    @Test("a database without the file of its disk's key opens nothing, and asks for the keys")
    func otherDisk() throws {
        let store = try Self.store(2)
        let copy = DataFolder(path: store.folder.path + "-stolen")
        defer { try? FileManager.default.removeItem(atPath: copy.path) }
        try store.writer.checkpoint()
        try copy.create()
        try FileManager.default.copyItem(atPath: store.folder.database, toPath: copy.database)
        let stolen = try Store.open(copy)
        #expect(try stolen.reader.secretsForTests().isEmpty)
        #expect(try stolen.reader.keys(of: Self.key(2).subject).map(\.isHeld) == [false])
    }
}

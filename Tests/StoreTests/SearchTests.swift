import Foundation
import Replication
import Store
import Synchronization
import TestSupport
import Testing
import Tickets

@Suite struct SearchTests {
    /// A province's store with one ticket for each text.
    private func store(_ texts: [String]) throws -> TestStore {
        let store = try TestStore("zj", replica: 13)
        try store.commit([announcement("zj", replica: 13)])
        var office = Office("zj", replica: 13, announced: true)
        for (index, text) in texts.enumerated() {
            try store.commit(
                office.perform(
                    .open(OpenBody(title: "t", body: text, department: "service")), on: nil, as: "service",
                    minute: Int64(index)))
            // A segment of the index for each.
            while try store.writer.reader.search.advance() > 0 {}
        }
        return store
    }

    private func count(_ text: String, _ store: TestStore) throws -> Int {
        try count(text, store.reader)
    }

    private func count(_ text: String, _ reader: StoreReader) throws -> Int {
        var filter = TicketFilter()
        filter.text = text
        return try reader.list(filter).count
    }

    @Test(
        "words are found in either case and between marks of any width; rare characters stand for themselves",
        arguments: [
            ("router", 1), ("ROUTER", 1), ("émile", 1), ("ÉMILE", 1), ("mile", 0), ("断网,报障", 1), ("网 报", 1), ("网报", 1),
            ("\u{E123}", 1), ("\u{20BB7}", 1), ("12-3", 1), ("3", 1), ("，", 0), ("привет", 1),
        ])
    func tokens(text: String, found: Int) throws {
        let store = try store(["断网，报障！Router 12—3", "Émile\u{E123}、\u{20BB7}野", "Привет"])
        #expect(try count(text, store) == found)
    }

    @Test("an index whose segments were joined finds the same")
    func joined() throws {
        let store = try store((0..<40).map { "报障 \($0) 号" })
        #expect(try count("报障", store) == 40)
        var steps = 0
        while try store.reader.search.merge() {
            steps += 1
            try #require(steps < 1_000)
        }
        #expect(steps > 0)
        #expect(try count("报障", store) == 40)
        #expect(try count("17", store) == 1)
    }

    @Test("one step takes more of the log than it holds in memory at once, to the last operation")
    func longStep() throws {
        let store = try TestStore("zj", replica: 13)
        try store.commit([announcement("zj", replica: 13)])
        var office = Office("zj", replica: 13, announced: true)
        var operations: [Replication.Operation] = []
        for number in 1...1_300 {
            operations += try office.perform(
                .open(OpenBody(title: "t", body: "报障 \(number) 号", department: "service")), on: nil, as: "service",
                minute: Int64(number))
        }
        try store.commit(operations)
        let index = store.reader.search
        try index.take(index.step())
        #expect(try index.backlog() == 0)
        for number in [1, 500, 501, 1_000, 1_001, 1_300] { #expect(try count("\(number)", store) == 1) }
        #expect(try index.step().isEmpty)
    }

    enum Found: CaseIterable { case nothing, noDatabase, ofAnotherLog, ofThisLogWithMore, damaged }

    @Test("an index that is missing, damaged, or of another history begins anew", arguments: Found.allCases)
    func beginsAnew(found: Found) throws {
        let store = try store(["报障", "停水"])
        let copy = try copy(of: store)
        defer { try? FileManager.default.removeItem(atPath: copy.path) }
        switch found {
        case .nothing: break
        case .noDatabase: try Data("no database".utf8).write(to: URL(fileURLWithPath: copy.searchIndex))
        case .ofAnotherLog: try copyIndex(of: ["噪声", "噪声"], to: copy)
        case .ofThisLogWithMore: try copyIndex(of: ["报障", "停水", "噪声"], to: copy)
        case .damaged: try copyIndex(of: ["报障"], to: copy, damage: "UPDATE search_data SET block = x'00' WHERE id = 10")
        }
        let (_, reader) = try Store.open(copy, context: StoreContext(now: Office.start))
        #expect(try reader.search.backlog() == (found == .damaged ? 1 : 3))
        while try reader.search.advance() > 0 {}
        for (text, found) in [("报障", 1), ("停水", 1), ("噪声", 0)] { #expect(try count(text, reader) == found) }
        #expect(try reader.search.fault() == nil)
    }

    /// Without its index.
    private func copy(of store: TestStore) throws -> DataFolder {
        try store.writer.checkpoint()
        let copy = DataFolder(path: store.folder.path + "-copy")
        try copy.create()
        for (from, to) in [(store.folder.database, copy.database), (store.folder.epoch, copy.epoch)] {
            try FileManager.default.copyItem(atPath: from, toPath: to)
        }
        return copy
    }

    /// The index of another store, with its write-ahead log.
    private func copyIndex(of texts: [String], to folder: DataFolder, damage: String? = nil) throws {
        let store = try store(texts)
        if let damage { try store.reader.search.executeForTests(damage) }
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(
                atPath: store.folder.searchIndex + suffix, toPath: folder.searchIndex + suffix)
        }
    }

    @Test("a step that another has overtaken is left out, and the index is where it was")
    func overtakenStep() throws {
        let store = try store([])
        try store.commit([announcement("zj", replica: 14)])
        let first = try store.reader.search.step()
        var office = Office("zj", replica: 14, announced: true)
        try store.commit(
            office.perform(
                .open(OpenBody(title: "t", body: "报障", department: "service")), on: nil, as: "service", minute: 1))
        try store.reader.search.advance()
        try store.reader.search.take(first)
        #expect(try store.reader.search.backlog() == 0 && count("报障", store) == 1)
    }

    @Test("a search finds an index that somebody has taken away, empty, and then again whole")
    func takenAway() throws {
        let store = try store(["报障"])
        #expect(try count("报障", store) == 1)
        store.reader.search.reset()
        #expect(try count("报障", store) == 0)
        while try store.reader.search.advance() > 0 {}
        #expect(try count("报障", store) == 1)
    }

    @Test("a search that meets damage finds nothing, says so, and then finds again")
    func damagedUnderSearch() throws {
        let store = try store(["报障"])
        try store.reader.search.executeForTests("PRAGMA wal_checkpoint(TRUNCATE)")
        let copy = try copy(of: store)
        defer { try? FileManager.default.removeItem(atPath: copy.path) }
        // All but the first page, which says that it is a database.
        var index = try Data(contentsOf: URL(fileURLWithPath: store.folder.searchIndex))
        for place in 4_096..<index.count { index[place] = 0xFF }
        try index.write(to: URL(fileURLWithPath: copy.searchIndex))
        let (_, reader) = try Store.open(copy, context: StoreContext(now: Office.start))
        let losses = Mutex(0)
        reader.search.onLoss { losses.withLock { $0 += 1 } }
        #expect(try count("报障", reader) == 0)
        #expect(losses.withLock { $0 } == 1)
        while try reader.search.advance() > 0 {}
        #expect(try count("报障", reader) == 1 && reader.search.fault() == nil)
        #expect(losses.withLock { $0 } == 1)
    }

    @Test("a step that was read before the index was emptied is left out")
    func staleStep() throws {
        let store = try store(["报障"])
        #expect(try store.reader.search.backlog() == 0 && count("报障", store) == 1)
        try store.writer.rebuild(now: 0)
        let first = try store.reader.search.step()
        #expect(!first.isEmpty)
        try store.reader.search.take(first)
        try store.reader.search.take(first)
        #expect(try store.reader.search.backlog() == 0 && count("报障", store) == 1)
    }
}

@testable import Node
import Testing

@Suite("CSV files")
struct CSVTableTests {
    private func table(_ text: String, separator: Character = ",") throws -> CSVTable {
        try CSVTable(path: "log.csv", bytes: Array(text.utf8), separator: separator)
    }

    @Test("a record has the line it begins on, also behind quoted line breaks")
    func lines() throws {
        let table = try table("\u{FEFF}a,b\r\n1,\"two\r\nlines\"\r\n\r\n2,\"say \"\"so\"\"\"\r\n3,\n")
        #expect(table.header == ["a", "b"])
        #expect(table.records.map(\.line) == [2, 5, 6])
        #expect(table.records.map(\.fields) == [["1", "two\r\nlines"], ["2", "say \"so\""], ["3", ""]])
        #expect(table.malformed.isEmpty)
    }

    @Test("a last line without a break, an empty last field and lone carriage returns are read")
    func endings() throws {
        #expect(try table("a,b\n1,").records.map(\.fields) == [["1", ""]])
        #expect(try table("a,b\r1,2\r3,4").records.map(\.fields) == [["1", "2"], ["3", "4"]])
        #expect(try table("a;b\n1;\"x;y\"", separator: ";").records.map(\.fields) == [["1", "x;y"]])
    }

    @Test("a malformed record costs itself alone, and its line is named")
    func malformed() throws {
        let table = try table("a,b\n1,5\" pipe\n2,\"x\"y\n3\n4,ok\n5,6,7\n")
        #expect(table.malformed.map(\.line) == [2, 3, 4, 6])
        #expect(table.malformed[2].problem == "2 fields, the row has 1")
        #expect(table.records.map(\.fields) == [["4", "ok"]])
    }

    @Test("a field longer than the limit is refused with its column")
    func longField() throws {
        let table = try table("a,b\n1,\(String(repeating: "x", count: ImportLimits.fieldBytesMax + 1))\n")
        #expect(table.malformed.map(\.column) == ["b"])
    }

    @Test("a quote that is never closed names the line it opens on")
    func openQuote() {
        #expect(throws: FileProblem(path: "log.csv", line: 3, expected: "the quote that opens here to be closed")) {
            try table("a,b\n1,2\n3,\"4\n5,6\n")
        }
    }

    @Test("a file that is not UTF-8 names the line and what to do")
    func encoding() {
        #expect {
            try CSVTable(path: "log.csv", bytes: Array("a,b\n1,".utf8) + [0xB9, 0xA4, 0x0A], separator: ",")
        } throws: { error in
            (error as? FileProblem)?.line == 2 && "\(error)".contains("encoding: gb18030")
        }
    }

    @Test("GB 18030 is converted, and a wrong byte names its line")
    func conversion() throws {
        // 工单
        let converted = try TextEncoding.gb18030.convertToUTF8([0xB9, 0xA4, 0xB5, 0xA5], path: "log.csv")
        #expect(String(decoding: converted, as: UTF8.self) == "工单")
        #expect { try TextEncoding.gb18030.convertToUTF8([0x61, 0x0A, 0xFF, 0xFF], path: "log.csv") } throws: { error in
            (error as? FileProblem)?.line == 2
        }
    }

    @Test("the header's columns are there once, and not too many")
    func header() {
        #expect(throws: FileProblem.self) { try table("a,a\n1,2\n") }
        #expect(throws: FileProblem.self) { try table("") }
        #expect(throws: FileProblem.self) {
            try table((0...ImportLimits.columnCountMax).map { "c\($0)" }.joined(separator: ",") + "\n")
        }
    }
}

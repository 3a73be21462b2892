internal import Foundation
internal import SwiftCSV

/// One record and where it stands.
struct CSVRecord: Hashable, Sendable {
    /// Line of the file that the record begins on, from 1.
    var line: Int
    var fields: [String]
}

/// A row that is left out, and what was expected of it.
package struct RefusedRow: Hashable, Sendable, Codable {
    package var line: Int
    /// Empty where the row as a whole is meant.
    package var column: String
    package var problem: String

    package init(line: Int, column: String, problem: String) {
        self.line = line
        self.column = column
        self.problem = problem
    }
}

/// A CSV file with a header, each record with its line. `CSVSplitter` finds where records begin, so that a quoted line
/// break does not shift the numbers and one malformed record does not cost the others; SwiftCSV reads their fields.
package struct CSVTable: Sendable {
    let path: String
    let header: [String]
    private(set) var records: [CSVRecord] = []
    /// Records whose fields cannot be told apart.
    private(set) var malformed: [RefusedRow] = []

    init(path: String, encoding: TextEncoding, separator: Character) throws(FileProblem) {
        var bytes = try Self.read(path)
        if encoding != .utf8 { bytes = try encoding.convertToUTF8(bytes, path: path) }
        try self.init(path: path, bytes: bytes, separator: separator)
    }

    /// - Parameter bytes: UTF-8, with or without a byte order mark.
    package init(path: String, bytes: [UInt8], separator: Character) throws(FileProblem) {
        self.path = path
        try Self.checkUTF8(bytes, path)
        guard let separatorByte = separator.asciiValue else { preconditionFailure("separators are ASCII") }
        var splitter = CSVSplitter(bytes: bytes, separator: separatorByte)
        let delimiter = Self.delimiter(separator)
        guard let first = try splitter.next(path) else {
            throw FileProblem(path: path, line: 1, expected: "a line with the names of the columns, the file is empty")
        }
        do {
            header = try Self.fields(bytes[first.range], delimiter)
        } catch {
            throw FileProblem(
                path: path, line: first.line, expected: "the names of the columns: \(Self.explain(error))")
        }
        try checkHeader(line: first.line)
        while let record = try splitter.next(path) {
            take(bytes[record.range], line: record.line, delimiter)
        }
    }

    private func checkHeader(line: Int) throws(FileProblem) {
        guard header.count <= ImportLimits.columnCountMax else {
            throw FileProblem(
                path: path, line: line,
                expected: "at most \(ImportLimits.columnCountMax) columns, there are \(header.count)")
        }
        var seen: Set<String> = []
        for name in header where !seen.insert(name).inserted {
            throw FileProblem(path: path, line: line, expected: "every column once, \"\(name)\" is there twice")
        }
    }

    private mutating func take(_ bytes: ArraySlice<UInt8>, line: Int, _ delimiter: CSVDelimiter) {
        let fields: [String]
        do {
            fields = try Self.fields(bytes, delimiter)
        } catch {
            malformed.append(RefusedRow(line: line, column: "", problem: Self.explain(error)))
            return
        }
        guard fields.count == header.count else {
            malformed.append(
                RefusedRow(line: line, column: "", problem: "\(header.count) fields, the row has \(fields.count)"))
            return
        }
        for (name, field) in zip(header, fields) where field.utf8.count > ImportLimits.fieldBytesMax {
            malformed.append(
                RefusedRow(
                    line: line, column: name,
                    problem: "at most \(ImportLimits.fieldBytesMax) bytes, there are \(field.utf8.count)"))
            return
        }
        records.append(CSVRecord(line: line, fields: fields))
    }

    /// One record at a time: the library's first row is its header. The line break makes it see an empty last field.
    private static func fields(_ bytes: ArraySlice<UInt8>, _ delimiter: CSVDelimiter) throws -> [String] {
        try EnumeratedCSV(
            string: String(decoding: bytes, as: UTF8.self) + "\n", delimiter: delimiter, loadColumns: false
        )
        .header
    }

    private static func explain(_ error: any Error) -> String {
        switch error {
        case CSVParseError.quotation:
            "quotes around a whole field, and a quote within it doubled"
        default: "separated fields: \(error)"
        }
    }

    private static func delimiter(_ separator: Character) -> CSVDelimiter {
        switch separator {
        case ",": .comma
        case ";": .semicolon
        case "\t": .tab
        default: .character(separator)
        }
    }

    private static func read(_ path: String) throws(FileProblem) -> [UInt8] {
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        guard size <= ImportLimits.fileBytesMax else {
            throw FileProblem(
                path: path, line: 0,
                expected: "at most \(ImportLimits.fileBytesMax) bytes, the file has \(size); import it in parts")
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw FileProblem(path: path, line: 0, expected: "the file cannot be read; check its name and permissions")
        }
        return [UInt8](data)
    }

    private static func checkUTF8(_ bytes: [UInt8], _ path: String) throws(FileProblem) {
        guard String(validating: bytes, as: UTF8.self) == nil else { return }
        var line = 1
        for part in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            if String(validating: part, as: UTF8.self) == nil { break }
            line += 1
        }
        throw FileProblem(
            path: path, line: line,
            expected: "UTF-8; convert the file, or name its encoding in the mapping (encoding: gb18030)")
    }
}

/// Finds records and their lines. Agrees with SwiftCSV on where a field begins and a quote ends.
struct CSVSplitter {
    private enum State { case fieldStart, plain, quoted, quoteInQuoted }

    private let bytes: [UInt8]
    private let separator: UInt8
    private var index: Int
    private var line = 1

    init(bytes: [UInt8], separator: UInt8) {
        self.bytes = bytes
        self.separator = separator
        index = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    }

    /// The next record that is not an empty line, without its line break.
    mutating func next(_ path: String) throws(FileProblem) -> (line: Int, range: Range<Int>)? {
        while index < bytes.count {
            let (line, range) = try scan(path)
            if !range.isEmpty { return (line, range) }
        }
        return nil
    }

    private mutating func scan(_ path: String) throws(FileProblem) -> (line: Int, range: Range<Int>) {
        let start = index
        let startLine = line
        var quoteLine = line
        var state = State.fieldStart
        while index < bytes.count {
            let byte = bytes[index]
            let isBreak = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
            if isBreak {
                let end = index
                index +=
                    byte == UInt8(ascii: "\r") && index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "\n")
                    ? 2 : 1
                line += 1
                if state != .quoted { return (startLine, start..<end) }
                continue
            }
            if state == .fieldStart, byte == UInt8(ascii: "\"") { quoteLine = line }
            state = Self.next(state, byte, separator)
            index += 1
            guard index - start <= ImportLimits.recordBytesMax else {
                throw FileProblem(
                    path: path, line: state == .quoted ? quoteLine : startLine,
                    expected: "a record of at most \(ImportLimits.recordBytesMax) bytes"
                        + (state == .quoted ? "; a quote opens here and is not closed" : ""))
            }
        }
        guard state != .quoted else {
            // What follows an open quote cannot be told apart from its text.
            throw FileProblem(path: path, line: quoteLine, expected: "the quote that opens here to be closed")
        }
        return (startLine, start..<index)
    }

    private static func next(_ state: State, _ byte: UInt8, _ separator: UInt8) -> State {
        let isQuote = byte == UInt8(ascii: "\"")
        switch state {
        case .fieldStart:
            if isQuote { return .quoted }
            return byte == separator || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") ? .fieldStart : .plain
        case .plain: return byte == separator ? .fieldStart : .plain
        case .quoted: return isQuote ? .quoteInQuoted : .quoted
        case .quoteInQuoted:
            if isQuote { return .quoted }
            if byte == separator { return .fieldStart }
            return byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") ? .quoteInQuoted : .plain
        }
    }
}

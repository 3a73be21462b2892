import Foundation
import Testing

/// Protocols/limits.md against the constants in the sources, both ways. The sources are read as text, so that private
/// constants count too.
@Suite struct LimitsPageTests {
    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    struct Constant {
        var name: String
        var value: String
        /// File and line.
        var place: String
    }

    /// Names that mean a limit; the others of this list are units of conversion.
    static let conversions: Set<String> = ["dayMilliseconds"]

    static func isLimit(_ name: String) -> Bool {
        !conversions.contains(name)
            && (name.hasSuffix("Max") || name.hasSuffix("Min") || name.hasSuffix("Milliseconds"))
    }

    // MARK: Reading

    /// The rows of the page: name and value, digits only.
    static func rows() throws -> [(name: String, value: String)] {
        let page = try String(contentsOf: repository.appending(path: "Protocols/limits.md"), encoding: .utf8)
        return page.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("| `") else { return nil }
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            return (cells[0].filter { $0 != "`" }, cells[1].filter { $0 != "," })
        }
    }

    /// Every `static let` with a plain value, and the stored properties of `TransportLimits`.
    static func constants() throws -> [Constant] {
        var result: [Constant] = []
        let sources = repository.appending(path: "Sources")
        let files = FileManager.default.enumerator(atPath: sources.path)
        while let file = files?.nextObject() as? String {
            // Constants of benchmark and simulator are their workload's, not limits of a node.
            guard file.hasSuffix(".swift"), !file.contains("Generated"), !file.hasPrefix("banjie-bench"),
                !file.hasPrefix("banjie-sim"), !file.hasPrefix("Simulation")
            else {
                continue
            }
            let text = try String(contentsOf: sources.appending(path: file), encoding: .utf8)
            var scopes: [(indent: Int, name: String)] = []
            for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                let indent = line.prefix { $0 == " " }.count
                if let match = line.firstMatch(of: /\b(?:enum|struct|class|actor|extension) +([A-Za-z0-9_.]+)/),
                    !line.contains("//")
                {
                    scopes.removeAll { $0.indent >= indent }
                    scopes.append((indent, String(match.1.split(separator: ".").last ?? "")))
                }
                guard let scope = scopes.last(where: { $0.indent < indent })?.name,
                    let match = line.firstMatch(of: /(static let|package var) (\w+)(?:: [A-Za-z0-9]+)? = ([^{"\[]+)$/),
                    match.1 == "static let" || scope == "TransportLimits"
                else { continue }
                result.append(
                    Constant(
                        name: "\(scope).\(match.2)", value: match.3.trimmingCharacters(in: .whitespaces),
                        place: "Sources/\(file):\(number + 1)"))
            }
        }
        return result
    }

    // MARK: Values

    /// Whole numbers with `*`, `<<`, `-`, parentheses and names of other constants; nil for anything else.
    static func evaluate(_ text: String, _ constants: [String: String], depth: Int = 0) -> UInt64? {
        guard depth < 8 else { return nil }
        var text = text.trimmingCharacters(in: .whitespaces)
        if text.hasPrefix("("), text.hasSuffix(")"), text.dropFirst().dropLast().allSatisfy({ $0 != "(" && $0 != ")" })
        {
            text = String(text.dropFirst().dropLast())
        }
        for (token, apply) in [
            (" - ", { $0 - $1 }), (" * ", { $0 * $1 }), (" << ", { $0 << $1 }),
        ] as [(String, (UInt64, UInt64) -> UInt64)] {
            guard let range = text.range(of: token, options: .backwards),
                text[range.upperBound...].allSatisfy({ $0 != ")" })
            else { continue }
            guard let left = evaluate(String(text[..<range.lowerBound]), constants, depth: depth + 1),
                let right = evaluate(String(text[range.upperBound...]), constants, depth: depth + 1)
            else { return nil }
            return apply(left, right)
        }
        let digits = text.filter { $0 != "_" }
        if let number = UInt64(digits) { return number }
        if digits.hasPrefix("0x") { return UInt64(digits.dropFirst(2), radix: 16) }
        return constants[text].flatMap { evaluate($0, constants, depth: depth + 1) }
    }

    // MARK: Tests

    @Test("every limit that Protocols/limits.md lists has the value that the page says")
    func values() throws {
        let constants = try Self.constants()
        let known = Dictionary(constants.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        let rows = try Self.rows()
        #expect(rows.count > 60)
        #expect(Set(rows.map(\.name)).count == rows.count, "a limit has one row")
        for row in rows {
            let expression = known[row.name]
            let value = expression.flatMap { Self.evaluate($0, known) }
            let isSame = value.map(String.init) ?? expression == row.value
            #expect(
                isSame,
                "\(row.name) is \(expression ?? "not in the sources"), Protocols/limits.md says \(row.value)")
        }
    }

    @Test("every constant that is a limit has a row in Protocols/limits.md")
    func completeness() throws {
        let listed = Set(try Self.rows().map(\.name))
        for constant in try Self.constants() {
            let name = constant.name.split(separator: ".").last.map(String.init) ?? ""
            guard Self.isLimit(name) || constant.name.hasPrefix("TransportLimits.") else { continue }
            guard Self.evaluate(constant.value, [:]) != nil || constant.value.contains(".") else { continue }
            let isListed = listed.contains(constant.name)
            #expect(
                isListed,
                "\(constant.place): add a row for `\(constant.name)` to Protocols/limits.md, with what happens beyond it"
            )
        }
    }
}

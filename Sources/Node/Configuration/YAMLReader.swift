internal import Foundation
internal import Yams

/// What is wrong with a file that a person wrote: which file, which line, what was expected.
package struct FileProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package var path: String
    /// From 1; 0 where the file as a whole is meant.
    package var line: Int
    package var expected: String

    package init(path: String, line: Int, expected: String) {
        self.path = path
        self.line = line
        self.expected = expected
    }

    package var description: String { line > 0 ? "\(path):\(line): \(expected)" : "\(path): \(expected)" }
}

/// A YAML mapping read field by field, so that every complaint names its line, and a misspelt key is one.
struct YAMLReader {
    static let fileBytesMax = 1024 * 1024
    /// Which plain texts are more than a text. A key or a number is read from its text, so nothing else needs a look.
    private static let resolver = Resolver.basic.appending(.bool)

    let path: String
    private let node: Yams.Node
    private let mapping: Yams.Node.Mapping

    init(path: String) throws(FileProblem) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw FileProblem(path: path, line: 0, expected: "the file cannot be read; check its name and permissions")
        }
        guard data.count <= Self.fileBytesMax else {
            throw FileProblem(
                path: path, line: 0, expected: "at most \(Self.fileBytesMax) bytes, the file has \(data.count)")
        }
        try self.init(path: path, text: String(decoding: data, as: UTF8.self))
    }

    init(path: String, text: String) throws(FileProblem) {
        let node: Yams.Node?
        do {
            // The encoding is said, or a variable of the environment would choose it.
            node = try Yams.compose(yaml: text, Self.resolver, .default, .utf8)
        } catch let error as YamlError {
            switch error {
            case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
                .composer(_, let problem, let mark, _):
                throw FileProblem(path: path, line: mark.line, expected: "valid YAML: \(problem)")
            default: throw FileProblem(path: path, line: 0, expected: "valid YAML: \(error)")
            }
        } catch {
            throw FileProblem(path: path, line: 0, expected: "valid YAML: \(error)")
        }
        guard let node else {
            throw FileProblem(path: path, line: 1, expected: "a mapping of keys to values, the file is empty")
        }
        try self.init(path: path, node: node)
    }

    private init(path: String, node: Yams.Node) throws(FileProblem) {
        self.path = path
        self.node = node
        guard let mapping = node.mapping else {
            throw FileProblem(path: path, line: node.mark?.line ?? 0, expected: "a mapping of keys to values")
        }
        self.mapping = mapping
    }

    /// Refuses keys that are not among these.
    func allow(_ keys: [String]) throws(FileProblem) {
        for (key, _) in mapping {
            guard let name = key.string, keys.contains(name) else {
                throw FileProblem(
                    path: path, line: key.mark?.line ?? 0,
                    expected: "one of \(keys.joined(separator: ", ")), not \(key.string ?? "a nested key")")
            }
        }
    }

    func problem(at key: String?, _ expected: String) -> FileProblem {
        FileProblem(path: path, line: (key.flatMap(entry) ?? node).mark?.line ?? 0, expected: expected)
    }

    /// By the key's text.
    private func entry(_ key: String) -> Yams.Node? {
        mapping.first { $0.key.scalar?.string == key }?.value
    }

    var keys: [String] { mapping.compactMap { $0.key.string } }

    func string(_ key: String) throws(FileProblem) -> String? {
        guard let value = entry(key) else { return nil }
        guard let text = value.scalar?.string else { throw problem(at: key, "\(key) is a text") }
        return text
    }

    func requiredString(_ key: String) throws(FileProblem) -> String {
        guard let text = try string(key), !text.isEmpty else { throw problem(at: key, "\(key) is required") }
        return text
    }

    func integer(_ key: String) throws(FileProblem) -> Int64? {
        guard let text = try string(key) else { return nil }
        guard let value = Int64(text) else { throw problem(at: key, "\(key) is a whole number, not \(text)") }
        return value
    }

    func boolean(_ key: String) throws(FileProblem) -> Bool? {
        guard let value = entry(key) else { return nil }
        guard let flag = value.bool else { throw problem(at: key, "\(key) is true or false") }
        return flag
    }

    /// A list of texts; a single text counts as a list of one.
    func strings(_ key: String) throws(FileProblem) -> [String] {
        guard let value = entry(key) else { return [] }
        if let text = value.scalar?.string { return [text] }
        guard let sequence = value.sequence else { throw problem(at: key, "\(key) is a list of texts") }
        var result: [String] = []
        for element in sequence {
            guard let text = element.scalar?.string else {
                throw FileProblem(path: path, line: element.mark?.line ?? 0, expected: "\(key) is a list of texts")
            }
            result.append(text)
        }
        return result
    }

    /// A nested mapping.
    func section(_ key: String) throws(FileProblem) -> YAMLReader? {
        guard let value = entry(key) else { return nil }
        return try YAMLReader(path: path, node: value)
    }

    /// A list of nested mappings.
    func sections(_ key: String) throws(FileProblem) -> [YAMLReader] {
        guard let value = entry(key) else { return [] }
        guard let sequence = value.sequence else { throw problem(at: key, "\(key) is a list") }
        var result: [YAMLReader] = []
        for element in sequence { result.append(try YAMLReader(path: path, node: element)) }
        return result
    }
}

import Foundation
import Testing

/// The real server, judged by what it says on the wire. Source: Protocols/http2.md §2.
@Suite("HTTP/2 conformance", .timeLimit(.minutes(1)))
struct ConformanceTests {
    private func judge(_ item: ConformanceCase) async throws {
        let outcome = try await Conversation.play(item)
        guard let issue = item.knownIssue else {
            #expect(outcome.meets(item.expectation), "\(item.testDescription): \(outcome)")
            return
        }
        withKnownIssue(issue) { #expect(outcome.meets(item.expectation), "\(item.testDescription): \(outcome)") }
    }

    @Test("Protocols/http2.md says how many cases there are of each section")
    func page() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Protocols/http2.md").standardized
        let page = try String(contentsOf: file, encoding: .utf8)
        for (name, cases) in [("9113", ConformanceCase.ofProtocol), ("7541", ConformanceCase.ofCompression)] {
            let table =
                page.components(separatedBy: "| RFC \(name) |").last?.components(separatedBy: "\n\n").first ?? ""
            let rows = table.split(separator: "\n").filter { $0.hasPrefix("| §") }.map { row in
                row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            }
            let counts = Dictionary(grouping: cases, by: \.section).mapValues(\.count)
            let listed = Dictionary(
                rows.map { ($0[0].dropFirst(), Int($0[2])) }, uniquingKeysWith: { first, _ in first })
            for (section, count) in counts {
                #expect(listed[section[...]] == count, "RFC \(name) §\(section) has \(count) cases")
            }
            #expect(listed.count == counts.count, "RFC \(name): a row without cases")
        }
    }

    @Test("the preface", arguments: ConformanceCase.preface)
    func preface(item: ConformanceCase) async throws { try await judge(item) }

    @Test("frames, their size, and what is unknown", arguments: ConformanceCase.frames)
    func frames(item: ConformanceCase) async throws { try await judge(item) }

    @Test("streams that are idle", arguments: ConformanceCase.idle)
    func idle(item: ConformanceCase) async throws { try await judge(item) }

    @Test("streams that are half-closed", arguments: ConformanceCase.halfClosed)
    func halfClosed(item: ConformanceCase) async throws { try await judge(item) }

    @Test("streams that are closed", arguments: ConformanceCase.closed)
    func closed(item: ConformanceCase) async throws { try await judge(item) }

    @Test("numbers of streams", arguments: ConformanceCase.identifiers)
    func identifiers(item: ConformanceCase) async throws { try await judge(item) }

    @Test("priorities", arguments: ConformanceCase.priorities)
    func priorities(item: ConformanceCase) async throws { try await judge(item) }

    @Test("errors of streams and of connections", arguments: ConformanceCase.errors)
    func errors(item: ConformanceCase) async throws { try await judge(item) }

    @Test("DATA", arguments: ConformanceCase.data)
    func data(item: ConformanceCase) async throws { try await judge(item) }

    @Test("HEADERS", arguments: ConformanceCase.headers)
    func headers(item: ConformanceCase) async throws { try await judge(item) }

    @Test("PRIORITY and RST_STREAM", arguments: ConformanceCase.priorityAndReset)
    func priorityAndReset(item: ConformanceCase) async throws { try await judge(item) }

    @Test("SETTINGS", arguments: ConformanceCase.settings)
    func settings(item: ConformanceCase) async throws { try await judge(item) }

    @Test("PUSH_PROMISE, PING, GOAWAY", arguments: ConformanceCase.control)
    func control(item: ConformanceCase) async throws { try await judge(item) }

    @Test("WINDOW_UPDATE and windows", arguments: ConformanceCase.windows)
    func windows(item: ConformanceCase) async throws { try await judge(item) }

    @Test("CONTINUATION", arguments: ConformanceCase.continuations)
    func continuations(item: ConformanceCase) async throws { try await judge(item) }

    @Test("messages", arguments: ConformanceCase.messages)
    func messages(item: ConformanceCase) async throws { try await judge(item) }

    @Test("fields", arguments: ConformanceCase.fields)
    func fields(item: ConformanceCase) async throws { try await judge(item) }

    @Test("control data of requests", arguments: ConformanceCase.requests)
    func requests(item: ConformanceCase) async throws { try await judge(item) }

    @Test("field compression: literal fields", arguments: ConformanceCase.literals)
    func literals(item: ConformanceCase) async throws { try await judge(item) }

    @Test("field compression: tables", arguments: ConformanceCase.tables)
    func tables(item: ConformanceCase) async throws { try await judge(item) }

    @Test("field compression: integers and strings", arguments: ConformanceCase.primitives)
    func primitives(item: ConformanceCase) async throws { try await judge(item) }
}

extension ConformanceCase {
    /// RFC 9113.
    static let ofProtocol =
        preface + frames + idle + halfClosed + closed + identifiers + priorities + errors + data + headers
        + priorityAndReset + settings + control + windows + continuations + messages + fields + requests
    /// RFC 7541.
    static let ofCompression = literals + tables + primitives
}

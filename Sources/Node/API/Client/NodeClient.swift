internal import Foundation
internal import Hummingbird
package import Logging
internal import NIOCore
package import Store
package import Tickets
internal import Transport

/// The way of a command to the API of a folder's node: over its socket, or, if no node runs there, in this process on
/// the folder itself. Both end at the same router.
package final class NodeClient: Sendable {
    private enum Way: Sendable {
        case socket(HTTP2Connection)
        case folder(SyncNode, RouterBridge<RouterResponder<NodeRequestContext>>)
    }

    /// How long a command waits for a folder whose owner does not answer.
    static let patienceMilliseconds = 5_000
    static let patienceLookMilliseconds = 100
    /// Longest answer taken.
    static let answerBytesMax = 256 * 1024 * 1024

    private let way: Way
    package let language: Language

    private init(way: Way, language: Language) {
        self.way = way
        self.language = language
    }

    /// Whether a running node answers.
    package var isRemote: Bool {
        switch way {
        case .socket: true
        case .folder: false
        }
    }

    /// - Throws: `StoreError.notInitialised`, `APIFailure.unreachable` naming the process that owns the folder and does
    ///   not answer, and what opening the store throws.
    package static func open(_ folder: DataFolder, language: Language, logger: Logger) async throws -> NodeClient {
        let end = ContinuousClock.now + .milliseconds(patienceMilliseconds)
        while true {
            do {
                return try await openOnce(folder, language: language, logger: logger)
            } catch APIFailure.unreachable where ContinuousClock.now < end {
                // A node that starts, or opens its store anew, has the folder for a moment before it answers.
                try await Task.sleep(for: .milliseconds(patienceLookMilliseconds))
            }
        }
    }

    private static func openOnce(_ folder: DataFolder, language: Language, logger: Logger) async throws -> NodeClient {
        guard folder.isInitialised else { throw StoreError.notInitialised(path: folder.path) }
        if let connection = await connect(folder, logger: logger) {
            return NodeClient(way: .socket(connection), language: language)
        }
        do {
            let node = try SyncNode.open(folder: folder, logger: logger)
            let responder = makeAPIRouter(node: node, runtime: nil).buildResponder()
            return NodeClient(
                way: .folder(node, RouterBridge(responder: responder, logger: logger)), language: language)
        } catch StoreError.folderInUse(let path, let owner) {
            throw APIFailure.unreachable(path: path, owner: owner)
        }
    }

    private static func connect(_ folder: DataFolder, logger: Logger) async -> HTTP2Connection? {
        guard folder.adminSocket.utf8.count <= AdminSocket.pathBytesMax,
            FileManager.default.fileExists(atPath: folder.adminSocket)
        else { return nil }
        return try? await HTTP2Client.connect(
            to: .unixSocket(folder.adminSocket), tls: nil, limits: .browser, logger: logger)
    }

    package func get<Answer: Decodable>(_ path: String, _ type: Answer.Type = Answer.self) async throws -> Answer {
        try Self.decode(try await send("GET", path, []))
    }

    package func post<Answer: Decodable>(
        _ path: String, _ body: some Encodable, _ type: Answer.Type = Answer.self
    ) async throws -> Answer {
        try Self.decode(try await send("POST", path, Array(try JSONReply.encode(body))))
    }

    package func put<Answer: Decodable>(
        _ path: String, _ body: some Encodable, _ type: Answer.Type = Answer.self
    ) async throws -> Answer {
        try Self.decode(try await send("PUT", path, Array(try JSONReply.encode(body))))
    }

    package func delete<Answer: Decodable>(_ path: String, _ type: Answer.Type = Answer.self) async throws -> Answer {
        try Self.decode(try await send("DELETE", path, []))
    }

    /// Sends one request.
    /// - Returns: the body of an answer of 2xx.
    /// - Throws: `APIError` as the node sent it; `TransportError` if the node went away meanwhile.
    package func send(_ method: String, _ path: String, _ body: [UInt8]) async throws -> [UInt8] {
        let headers = [
            HTTP2Header("accept-language", language.rawValue), HTTP2Header("content-type", "application/json"),
        ]
        let (status, answer): (Int, [UInt8])
        switch way {
        case .folder(_, let bridge):
            (status, answer) = await bridge.respond(
                method: method, path: path, headers: headers, body: body, caller: .admin)
        case .socket(let connection):
            let stream = try await connection.open(
                HTTP2RequestHead(method: method, scheme: "http", authority: "node", path: path, headers: headers),
                endStream: body.isEmpty)
            if !body.isEmpty {
                try await stream.write(ByteBuffer(bytes: body))
                try stream.finish()
            }
            status = try await stream.responseHead.status
            answer = Array(try await stream.collect(bytesMax: Self.answerBytesMax).readableBytesView)
        }
        guard (200..<300).contains(status) else {
            throw (try? JSONDecoder().decode(APIError.self, from: Data(answer)))
                ?? APIError(status: status, code: "http", message: "\(status)")
        }
        return answer
    }

    /// Brings the search index up to the log where no node does it later, and lets go.
    package func close() async {
        switch way {
        case .socket(let connection): await connection.close()
        case .folder(let node, _):
            while let backlog = try? await StoreAccess().run({ try node.reader.search.advance() }), backlog > 0 {}
        }
    }

    private static func decode<Answer: Decodable>(_ bytes: [UInt8]) throws -> Answer {
        do {
            return try JSONDecoder().decode(Answer.self, from: Data(bytes))
        } catch {
            throw APIError(
                status: 502, code: "version", message: "the node's answer is not what this program expects: \(error)",
                next: "Use the same version of banjie as the node.")
        }
    }
}

/// Parts of an address.
package enum APIPath {
    /// A piece of a path with everything but letters, digits and `-._~` escaped.
    package static func escape(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return result
    }

    /// `path?name=value&…` with those that are not nil.
    package static func query(_ path: String, _ items: [(String, String?)]) -> String {
        let given = items.compactMap { name, value in value.map { "\(name)=\(escape($0))" } }
        return given.isEmpty ? path : path + "?" + given.joined(separator: "&")
    }
}

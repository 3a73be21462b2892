import Foundation
import Hummingbird
import Logging
import Replication
import Store
import Tickets
import Transport

@testable import Node

/// A node in a folder of its own that goes away with the value, and the API in front of it, called in process. Its
/// clock stands still.
final class APINode {
    static let now: Int64 = 1_800_000_000_000

    let folder: DataFolder
    let node: SyncNode
    let bridge: RouterBridge<RouterResponder<NodeRequestContext>>

    init(_ site: String = "hz.zj", parent: String? = nil, runtime: (any RuntimeControl)? = nil) async throws {
        // Short enough for a socket's path.
        folder = DataFolder(path: "/tmp/bj-\(UUID().uuidString.prefix(8))")
        let opened = try Store.open(
            folder,
            creating: NodeIdentity(
                site: SiteCode(validated: site), replica: ReplicaID(0x00A1_0000_0000_0001),
                parent: parent.map(SiteCode.init(validated:))))
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        node = try SyncNode(
            writer: opened.writer, catalog: .standard,
            clock: NodeClock(scale: .init(realMilliseconds: 0, virtualMilliseconds: Self.now, rate: 0)), logger: logger)
        bridge = RouterBridge(
            responder: makeAPIRouter(node: node, runtime: runtime).buildResponder(), logger: logger)
        // What an incarnation does that has not said whose it is stays parked.
        try await node.announceIfNew(certificateFingerprint: [])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder.path)
    }

    func call(
        _ method: String, _ path: String, _ body: String = "", language: Language = .english,
        caller: RequestCaller = .admin
    ) async -> (status: Int, body: [UInt8]) {
        let (status, answer) = await bridge.respond(
            method: method, path: "/api/v1/" + path, headers: [.init("accept-language", language.rawValue)],
            body: Array(body.utf8), caller: caller)
        return (status, answer)
    }

    func answer<Value: Decodable>(
        _ method: String, _ path: String, _ body: String = "", as type: Value.Type = Value.self
    ) async throws -> Value {
        let (status, answer) = await call(method, path, body)
        guard (200..<300).contains(status) else { throw try JSONDecoder().decode(APIError.self, from: Data(answer)) }
        return try JSONDecoder().decode(Value.self, from: Data(answer))
    }

    func failure(_ method: String, _ path: String, _ body: String = "", language: Language = .english) async throws
        -> APIError
    {
        let (status, answer) = await call(method, path, body, language: language)
        let error = try JSONDecoder().decode(APIError.self, from: Data(answer))
        guard error.status == status else { throw error }
        return error
    }

    /// Waits for a job by polling. It lets its thread go in between: what is waited for may need that very thread.
    func finished(_ started: JobState) async throws -> JobState {
        var job = started
        while !job.isFinished {
            try await Task.sleep(for: .milliseconds(2))
            job = try await answer("GET", "jobs/\(job.id)")
        }
        return job
    }

    /// Opens a ticket at the service centre.
    func open(_ title: String = "上网慢") async throws -> TicketReceipt {
        try await answer(
            "POST", "tickets",
            #"{"actor":{"name":"wang","role":"dispatcher","department":"SVC"},"title":"\#(title)","urgency":"high"}"#)
    }
}

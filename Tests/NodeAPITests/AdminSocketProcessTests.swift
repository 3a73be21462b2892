import Foundation
import Hummingbird
import Logging
import NIOCore
import Store
import Testing
import Tickets

@testable import Node

@Suite struct AdminSocketProcessTests {
    /// Runs the socket of a node for as long as `body` takes.
    private func serving(_ body: (APINode) async throws -> Void) async throws {
        let api = try await APINode()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let socket = try AdminSocket(
            folder: api.folder, responder: makeAPIRouter(node: api.node, runtime: nil).buildResponder(), logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await socket.run() }
            try await socket.waitUntilListening()
            try await body(api)
            group.cancelAll()
        }
    }

    @Test("a command finds a running node behind its socket")
    func client() async throws {
        try await serving { api in
            let opened = try await api.open()
            let mode = try FileManager.default.attributesOfItem(atPath: api.folder.run)[.posixPermissions] as? NSNumber
            #expect(mode?.intValue == 0o700)
            let client = try await NodeClient.open(
                api.folder, language: .english, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            #expect(client.isRemote)
            let page: TicketPage = try await client.get("/api/v1/tickets")
            #expect(page.items.map(\.id) == [opened.ticket.id])
            await #expect(throws: APIError.self) {
                let _: TicketDetail = try await client.get("/api/v1/tickets/nowhere")
            }
            await client.close()
        }
    }

    @Test("a folder that is held by somebody who does not answer is unreachable, and the owner is named")
    func unreachable() async throws {
        let api = try await APINode()
        do {
            _ = try await NodeClient.open(
                api.folder, language: .english, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            Issue.record("the folder is in use")
        } catch {
            let described = APIError(error, .english)
            #expect(Node.ExitStatus(httpStatus: described.status) == .unreachable)
            #expect(described.message.contains("process \(ProcessInfo.processInfo.processIdentifier)"))
        }
        withExtendedLifetime(api) {}
    }

    @Test(
        "curl reads the API over the socket",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/curl")))
    func curl() async throws {
        try await serving { api in
            _ = try await api.open()
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
            process.arguments = [
                "--silent", "--max-time", "20", "--http2-prior-knowledge", "--unix-socket", api.folder.adminSocket,
                "http://node/api/v1/status",
            ]
            let output = Pipe()
            process.standardOutput = output
            let status: NodeStatus = try await withCheckedThrowingContinuation { continuation in
                process.terminationHandler = { _ in
                    let data = output.fileHandleForReading.readDataToEndOfFile()
                    continuation.resume(with: Result { try JSONDecoder().decode(NodeStatus.self, from: data) })
                }
                do {
                    try process.run()
                } catch {
                    process.terminationHandler = nil
                    continuation.resume(throwing: error)
                }
            }
            #expect(status.site == "hz.zj" && status.tickets == 1)
        }
    }

    @Test("only the node's own user and root get in")
    func users() {
        #expect(AdminSocket.isAllowed(uid: 1_000, ownUID: 1_000))
        #expect(AdminSocket.isAllowed(uid: 0, ownUID: 1_000))
        #expect(!AdminSocket.isAllowed(uid: 1_001, ownUID: 1_000))
        #expect(!AdminSocket.isAllowed(nil, ownUID: 1_000))
    }

    @Test("a path that the kernel cannot take is refused with its length")
    func longPath() {
        let path = "/" + String(repeating: "x", count: AdminSocket.pathBytesMax)
        #expect(throws: APIFailure.socketPathTooLong(path: path, bytesMax: 107)) { try AdminSocket.checkPath(path) }
        #expect(throws: Never.self) { try AdminSocket.checkPath(String(path.dropLast())) }
    }
}

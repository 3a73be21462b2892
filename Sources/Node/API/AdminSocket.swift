internal import Foundation
package import Hummingbird
package import Logging
internal import NIOCore
internal import ServiceLifecycle
package import Store
internal import Transport

/// The API on a local socket, for programs of the node's own user and of root.
///
/// Two locks on one door: the folder's mode 0700, and the user of the connecting process as the kernel tells it.
package struct AdminSocket: Service {
    /// `sun_path` holds 108 bytes, one of them a zero.
    package static let pathBytesMax = 107
    static let folderMode = 0o700

    private let folder: DataFolder
    private let server: HTTP2Server

    /// - Throws: `APIFailure.socketPathTooLong`.
    package init(
        folder: DataFolder, responder: RouterResponder<NodeRequestContext>, logger: Logger
    ) throws {
        try Self.checkPath(folder.adminSocket)
        self.folder = folder
        let bridge = RouterBridge(responder: responder, logger: logger)
        server = HTTP2Server(address: .unixSocket(folder.adminSocket), tls: nil, limits: .browser, logger: logger) {
            stream, peer in
            guard Self.isAllowed(peer.process, ownUID: getuid()) else {
                logger.warning(
                    "a process of another user was turned away", metadata: ["uid": "\(peer.process?.uid ?? 0)"])
                await Self.turnAway(stream)
                return
            }
            await bridge.serve(stream, caller: .admin, uid: peer.process?.uid)
        }
    }

    /// Makes the folder, listens, and returns after a shutdown.
    package func run() async throws {
        let manager = FileManager.default
        do {
            try manager.createDirectory(atPath: folder.run, withIntermediateDirectories: true)
            try manager.setAttributes([.posixPermissions: Self.folderMode], ofItemAtPath: folder.run)
        } catch {
            throw StoreError.file(path: folder.run, operation: "creating the folder", reason: "\(error)")
        }
        try await server.run()
        try? manager.removeItem(atPath: folder.adminSocket)
    }

    /// Waits until it listens.
    package func waitUntilListening() async throws {
        _ = try await server.port
    }

    static func checkPath(_ path: String) throws {
        guard path.utf8.count <= pathBytesMax else {
            throw APIFailure.socketPathTooLong(path: path, bytesMax: pathBytesMax)
        }
    }

    /// The node's own user and root; nobody whose user is not known.
    static func isAllowed(_ process: ConnectionPeer.LocalProcess?, ownUID: UInt32) -> Bool {
        guard let process else { return false }
        return isAllowed(uid: process.uid, ownUID: ownUID)
    }

    static func isAllowed(uid: UInt32, ownUID: UInt32) -> Bool {
        uid == ownUID || uid == 0
    }

    private static func turnAway(_ stream: HTTP2Stream) async {
        let language = stream.requestHead.headers["accept-language"]
        let error = APIError(APIFailure.forbidden, .init(acceptLanguage: language))
        guard let body = try? JSONReply.encode(error) else { return }
        try? stream.respond(
            HTTP2ResponseHead(status: error.status, headers: [HTTP2Header("content-type", "application/json")]),
            body: ByteBuffer(bytes: body))
    }
}

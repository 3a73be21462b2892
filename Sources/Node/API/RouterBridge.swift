internal import Foundation
internal import HTTPTypes
package import Hummingbird
package import Logging
internal import NIOCore
package import Replication
package import Store
package import Transport

/// Who asks: decided by the listener that the request came in on, never by the request itself.
package enum RequestCaller: Sendable, Hashable {
    /// A process on this machine that may open the admin socket, or the command line acting on the folder itself.
    case admin
    /// A browser on the console's listener; who is logged in is found out by the console's middleware.
    case browser(remoteAddress: String)
}

/// What a route knows beside the request.
package struct NodeRequestContext: RequestContext {
    package struct Source: RequestContextSource {
        package let logger: Logger
        package let caller: RequestCaller
        /// Whom the journal names where nobody is logged in.
        package let actor: JournalActor

        package init(logger: Logger, caller: RequestCaller, actor: JournalActor) {
            self.logger = logger
            self.caller = caller
            self.actor = actor
        }
    }

    package var coreContext: CoreRequestContextStorage
    package let caller: RequestCaller
    /// The person logged in to the console, once the middleware has found one.
    package var account: ConsoleAccount?
    private let source: JournalActor
    /// Language and session of a browser.
    var visit = ConsoleVisit()

    package init(source: Source) {
        coreContext = CoreRequestContextStorage(source: source)
        caller = source.caller
        self.source = source.actor
    }

    /// Who asks and from where, for the journal.
    package var actor: JournalActor {
        JournalActor(name: account?.name ?? source.name, origin: source.origin)
    }

    package var maxUploadSize: Int { RequestLimits.bodyBytesMax }
}

/// The person behind a console session.
package struct ConsoleAccount: Sendable, Hashable {
    package var name: String
    package var role: Role
    package var department: String

    package init(name: String, role: Role, department: String) {
        self.name = name
        self.role = role
        self.department = department
    }
}

/// Serves a router's responder on streams of our own transport, or in this process without any.
package struct RouterBridge<Responder: HTTPResponder>: Sendable where Responder.Context == NodeRequestContext {
    private let responder: Responder
    private let logger: Logger

    package init(responder: Responder, logger: Logger) {
        self.responder = responder
        self.logger = logger
    }

    /// Answers one stream of a listener.
    /// - Parameter uid: of a local process.
    package func serve(_ stream: HTTP2Stream, caller: RequestCaller, uid: UInt32? = nil) async {
        let head = stream.requestHead
        guard let method = HTTPRequest.Method(head.method) else {
            stream.reset(.protocolError)
            return
        }
        var fields = HTTPFields()
        for header in head.headers {
            guard let name = HTTPField.Name(header.name) else { continue }
            fields.append(HTTPField(name: name, value: header.value))
        }
        let request = Request(
            head: HTTPRequest(
                method: method, scheme: head.scheme, authority: head.authority, path: head.path, headerFields: fields),
            body: RequestBody(asyncSequence: stream.body))
        let response = await respond(to: request, caller: caller, actor: Self.actor(caller, uid: uid))
        do {
            try stream.respond(
                HTTP2ResponseHead(
                    status: response.status.code,
                    headers: response.headers.map { HTTP2Header($0.name.canonicalName, $0.value) }))
            try await response.body.write(StreamBodyWriter(stream: stream))
        } catch {
            logger.debug("an answer was not taken", metadata: ["path": "\(head.path)", "error": "\(error)"])
            stream.reset(.cancel)
        }
    }

    /// Answers a request of this very process: the command line on a folder that no node serves at the moment.
    package func respond(
        method: String, path: String, headers: [HTTP2Header] = [], body: [UInt8], caller: RequestCaller
    ) async -> (Int, [UInt8]) {
        var fields = HTTPFields()
        for header in headers {
            guard let name = HTTPField.Name(header.name) else { continue }
            fields.append(HTTPField(name: name, value: header.value))
        }
        let request = Request(
            head: HTTPRequest(
                method: HTTPRequest.Method(method) ?? .get, scheme: "http", authority: "node", path: path,
                headerFields: fields),
            body: RequestBody(buffer: ByteBuffer(bytes: body)))
        let response = await respond(to: request, caller: caller)
        let collector = BodyCollector()
        try? await response.body.write(collector)
        return (response.status.code, await collector.storage.bytes)
    }

    private static func actor(_ caller: RequestCaller, uid: UInt32?) -> JournalActor {
        switch (caller, uid) {
        case (.browser(let address), _): JournalActor(name: "", origin: "console \(address)")
        case (.admin, let uid?): JournalActor(name: LocalUser.name(uid), origin: "admin socket uid \(uid)")
        case (.admin, nil): JournalActor(name: LocalUser.name(getuid()), origin: "folder uid \(getuid())")
        }
    }

    func respond(to request: Request, caller: RequestCaller, actor: JournalActor? = nil) async -> Response {
        let context = NodeRequestContext(
            source: .init(logger: logger, caller: caller, actor: actor ?? Self.actor(caller, uid: nil)))
        do {
            return try await responder.respond(to: request, context: context)
        } catch let error as any HTTPResponseError {
            do {
                return try error.response(from: request, context: context)
            } catch {
                return Response(status: .internalServerError)
            }
        } catch {
            logger.error("a request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return Response(status: .internalServerError)
        }
    }
}

/// Names of this machine's users.
enum LocalUser {
    static func name(_ uid: UInt32) -> String {
        if uid == getuid() { return NSUserName() }
        return uid == 0 ? "root" : "uid \(uid)"
    }
}

/// Limits of API and console; listed in Protocols/limits.md.
package enum RequestLimits {
    package static let bodyBytesMax = 1024 * 1024
}

private struct StreamBodyWriter: ResponseBodyWriter {
    let stream: HTTP2Stream

    mutating func write(_ buffer: ByteBuffer) async throws {
        try await stream.write(buffer)
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {
        try stream.finish(trailers: (trailingHeaders ?? [:]).map { HTTP2Header($0.name.canonicalName, $0.value) })
    }
}

struct BodyCollector: ResponseBodyWriter {
    actor Storage {
        var bytes: [UInt8] = []
        func append(_ buffer: ByteBuffer) { bytes.append(contentsOf: buffer.readableBytesView) }
    }

    let storage = Storage()

    mutating func write(_ buffer: ByteBuffer) async throws {
        await storage.append(buffer)
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

internal import Foundation
internal import HTTPTypes
package import Hummingbird
internal import Logging
internal import NIOCore
internal import Replication
internal import Store
internal import Tickets

/// The API's router: served on the admin socket, and called in process where no node runs.
///
/// Everything here acts with the node's own authority, so it answers local admins alone. Source: Protocols/api.yaml.
/// - Parameter runtime: nil on a folder that no node serves at the moment.
package func makeAPIRouter(node: SyncNode, runtime: (any RuntimeControl)?) -> Router<NodeRequestContext> {
    let services = APIServices(node: node, runtime: runtime)
    let router = Router(context: NodeRequestContext.self)
    router.add(middleware: APIErrors())
    router.add(middleware: AdminsOnly())
    let group = router.group("api/v1")
    services.addStatusRoutes(to: group)
    services.addTicketRoutes(to: group)
    services.addCommandRoutes(to: group)
    services.addConflictRoutes(to: group)
    services.addSyncRoutes(to: group)
    services.addAuditRoutes(to: group)
    services.addRevocationRoutes(to: group)
    services.addRootRoutes(to: group)
    services.addHeadRoutes(to: group)
    services.addAssessmentRoutes(to: group)
    services.addAccountRoutes(to: group)
    services.addMaintenanceRoutes(to: group)
    services.addImportRoutes(to: group)
    services.addBundleRoutes(to: group)
    services.addCustomerRoutes(to: group)
    services.addJournalRoutes(to: group)
    return router
}

/// What the routes share.
struct APIServices: Sendable {
    typealias Routes = RouterGroup<NodeRequestContext>

    let node: SyncNode
    let runtime: (any RuntimeControl)?
    let access = StoreAccess()
    let jobs = JobTable()
    /// Department of those who name none.
    let department: String

    init(node: SyncNode, runtime: (any RuntimeControl)?) {
        self.node = node
        self.runtime = runtime
        let configured = try? NodeConfiguration(folder: node.reader.folder)
        department = configured?.department ?? node.catalog.departments.first { $0.isAccepting }?.code ?? ""
    }

    var reader: StoreReader { node.reader }

    /// Reads on a thread that may wait for the disk.
    func read<Value: Sendable>(_ body: @Sendable () throws -> Value) async throws -> Value {
        try await access.run(body)
    }

    // MARK: Requests

    func decode<Value: Decodable>(_ type: Value.Type, _ body: ByteBuffer) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(body.readableBytesView))
        } catch let error as DecodingError {
            throw APIFailure(error)
        }
    }

    func body(of request: Request, _ context: NodeRequestContext) async throws -> ByteBuffer {
        do {
            return try await request.body.collect(upTo: context.maxUploadSize)
        } catch is NIOTooManyBytesError {
            throw APIFailure.bodyTooLarge(bytesMax: context.maxUploadSize)
        }
    }

    func reply(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        try JSONReply.response(value, status: status)
    }

    /// The ticket that an address or a person names: an id, or a number in any spelling.
    /// - Throws: `.noSuchTicket`, `.ambiguousNumber`.
    func resolve(_ reference: String) throws -> EntityID {
        if let id = EntityID(reference) {
            guard id.type == .ticket, try reader.state(of: id) != nil else { throw APIFailure.noSuchTicket(reference) }
            return id
        }
        let number = TicketNumber.parse(reference) ?? reference
        let found = try reader.tickets(numbered: number)
        switch found.count {
        case 0: throw APIFailure.noSuchTicket(reference)
        case 1: return found[0]
        default: throw APIFailure.ambiguousNumber(number, try found.map(brief))
        }
    }

    func brief(_ id: EntityID) throws -> TicketBrief {
        try reader.record(of: id).map { TicketBrief($0) } ?? TicketBrief(unknown: id)
    }

    /// - Parameter text: the path's parameter as it was sent.
    func parameter(_ name: String, _ context: NodeRequestContext) throws -> String {
        let text = try context.parameters.require(name)
        return text.removingPercentEncoding ?? text
    }

    func language(_ request: Request) -> Language { Language(acceptLanguage: request.headers[.acceptLanguage]) }

    func author(_ actor: Actor) throws -> Author {
        guard !actor.name.allSatisfy(\.isWhitespace) else { throw Refusal.missing(.name) }
        let role = try actor.role.map { try named($0, "actor.role", Role.self) } ?? .agent
        guard role != .system else {
            throw APIFailure.malformed(
                field: "actor.role", expected: "agent|dispatcher|supervisor|assessor|auditor|admin")
        }
        return Author(
            name: actor.name, role: role, level: AuthorityLevel(of: node.identity.site), site: node.identity.site,
            department: actor.department.flatMap { $0.isEmpty ? nil : $0 } ?? department,
            catalogVersion: node.catalog.version)
    }
}

extension APIFailure {
    /// Names the field at fault.
    init(_ error: DecodingError) {
        func path(_ keys: [any CodingKey], _ last: (any CodingKey)? = nil) -> String {
            (keys + (last.map { [$0] } ?? [])).map { $0.intValue.map { "\($0)" } ?? $0.stringValue }
                .joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let context):
            self = .malformed(field: path(context.codingPath, key), expected: "present")
        case .typeMismatch(let type, let context):
            self = .malformed(field: path(context.codingPath), expected: "\(type)")
        case .valueNotFound(let type, let context):
            self = .malformed(field: path(context.codingPath), expected: "\(type)")
        case .dataCorrupted(let context):
            self =
                context.codingPath.isEmpty
                ? .unreadableBody(context.debugDescription)
                : .malformed(field: path(context.codingPath), expected: context.debugDescription)
        @unknown default: self = .unreadableBody("\(error)")
        }
    }
}

/// Turns errors into their JSON form; the only place where a route's error becomes a status.
struct APIErrors: RouterMiddleware {
    typealias Context = NodeRequestContext

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            let answer = APIError(error, Language(acceptLanguage: request.headers[.acceptLanguage]))
            if answer.status >= 500 {
                context.logger.error(
                    "a request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            }
            return try JSONReply.response(answer, status: HTTPResponse.Status(code: answer.status))
        }
    }
}

/// The listener says who asks; a browser has the console's own routes.
struct AdminsOnly: RouterMiddleware {
    typealias Context = NodeRequestContext

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard context.caller == .admin else { throw APIFailure.forbidden }
        return try await next(request, context)
    }
}

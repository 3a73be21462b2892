internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Store
internal import Tickets

/// Outermost: decides the language, turns every failure into a page, and puts the protecting headers on each answer.
struct ConsoleHeaders: RouterMiddleware {
    typealias Context = NodeRequestContext

    static let languageCookie = "__Host-banjie-language"
    static let contentSecurityPolicy = [
        "default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self'", "connect-src 'self'",
        "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
    ].joined(separator: "; ")

    let state: ConsoleState

    func handle(
        _ request: Request, context: NodeRequestContext,
        next: (Request, NodeRequestContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        let chosen = Language(rawValue: FormFields(queryOf: request)["lang"])
        let kept = RequestCookies.value(Self.languageCookie, in: request).flatMap(Language.init)
        context.visit.language = chosen ?? kept ?? .chinese
        var response: Response
        do {
            response = try await next(request, context)
        } catch let failure as ConsoleFailure {
            response = state.views.failurePage(failure, state: state, visit: context.visit)
        } catch let error as HTTPError {
            let failure: ConsoleFailure = error.status == .methodNotAllowed ? .methodNotAllowed : .notFound
            response = state.views.failurePage(failure, state: state, visit: context.visit)
        } catch {
            state.node.logger.error(
                "a page failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            response = state.views.failurePage(.internalError, state: state, visit: context.visit)
        }
        if let chosen, chosen != kept {
            response.headers.append(
                HTTPField(
                    name: .setCookie,
                    value: "\(Self.languageCookie)=\(chosen.rawValue); Secure; HttpOnly; SameSite=Strict; Path=/"))
        }
        Self.protect(&response)
        return response
    }

    static func protect(_ response: inout Response) {
        response.headers[.contentSecurityPolicy] = contentSecurityPolicy
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[HTTPField.Name("referrer-policy")!] = "no-referrer"
        response.headers[HTTPField.Name("x-frame-options")!] = "DENY"
        response.headers[HTTPField.Name("cross-origin-opener-policy")!] = "same-origin"
        response.headers[HTTPField.Name("cross-origin-resource-policy")!] = "same-origin"
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
    }
}

/// Closed by default: whatever is not log-in or a static file needs a session, pages that do not exist included.
struct ConsoleGate: RouterMiddleware {
    typealias Context = NodeRequestContext

    let state: ConsoleState

    func handle(
        _ request: Request, context: NodeRequestContext,
        next: (Request, NodeRequestContext) async throws -> Response
    ) async throws -> Response {
        guard case .browser = context.caller else { throw ConsoleFailure.forbidden }
        var context = context
        let path = request.uri.path
        if let id = RequestCookies.value(SessionTable.cookieName, in: request) {
            // What a page asks by itself does not count as use.
            let isUse = request.headers[ConsoleRoutes.refreshHeader] == nil
            if let session = state.sessions.find(id, now: state.monotonic(), isUse: isUse) {
                if try await isCurrent(session) {
                    context.visit.session = session
                    context.account = session.account
                } else {
                    state.sessions.end(id)
                }
            }
        }
        let isOpen = path == ConsoleRoutes.login || ConsoleRoutes.assets.contains(path)
        guard isOpen || context.visit.session != nil else { return .seeOther(ConsoleRoutes.login) }
        if request.method != .get, !Self.isFromHere(request) { throw ConsoleFailure.foreignForm }
        return try await next(request, context)
    }

    /// The account is still there, with the same role, department and password.
    private func isCurrent(_ session: ConsoleSession) async throws -> Bool {
        guard let account = try await state.account(session.account.name) else { return false }
        return account.role == session.account.role && account.department == session.account.department
            && account.verifier == session.verifier
    }

    /// What browsers say of where a form comes from. Either header may be missing, neither may name another site; the
    /// origin is `null` where the page's own referrer policy hides it, which only counts with the other header.
    static func isFromHere(_ request: Request) -> Bool {
        let site = request.headers[HTTPField.Name("sec-fetch-site")!]
        if let site, site != "same-origin" { return false }
        guard let origin = request.headers[.origin] else { return true }
        if origin == "null" { return site != nil }
        return request.head.authority.map { origin == "https://\($0)" } ?? false
    }
}

extension Response {
    static func seeOther(_ location: String) -> Response {
        Response(status: .seeOther, headers: [.location: location])
    }
}

extension NodeRequestContext {
    /// The session of a request that the gate has let through.
    /// - Throws: `ConsoleFailure.forbidden` if the role may not do this.
    func session(_ permission: ConsolePermission) throws -> ConsoleSession {
        guard let session = visit.session, permission.isGranted(to: session.account.role) else {
            throw ConsoleFailure.forbidden
        }
        return session
    }

    /// The session and form of a change.
    /// - Throws: `ConsoleFailure` if role, token or form are not right.
    func form(_ request: Request, _ permission: ConsolePermission?) async throws -> (ConsoleSession, FormFields) {
        guard let session = visit.session else { throw ConsoleFailure.forbidden }
        let fields = try await FormFields(of: request)
        guard session.accepts(token: fields["token"]) else { throw ConsoleFailure.foreignForm }
        if let permission { _ = try self.session(permission) }
        return (session, fields)
    }
}

internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Store
internal import Replication

/// Log-in and log-out.
struct LoginPages: Sendable {
    let state: ConsoleState

    struct Model {
        var message: String?
        var name: String
        var nameBytesMax = ConsoleLimits.accountNameBytesMax
        var passwordBytesMax = ConsoleLimits.passwordBytesMax
    }

    func add(to router: Router<NodeRequestContext>) {
        router.get("login") { _, context in
            guard context.visit.session == nil else { return Response.seeOther("/queue") }
            return page(context, message: nil, name: "", status: .ok)
        }
        router.post("login") { request, context in try await logIn(request, context) }
        router.post("logout") { request, context in
            let (session, _) = try await context.form(request, nil)
            try await state.node.journal(JournalDraft(.logOut, by: context.actor, on: session.account.name))
            if let id = RequestCookies.value(SessionTable.cookieName, in: request) { state.sessions.end(id) }
            var response = Response.seeOther(ConsoleRoutes.login)
            response.headers[.setCookie] = Self.cookie("", lifetime: "; Max-Age=0")
            return response
        }
    }

    private func logIn(_ request: Request, _ context: NodeRequestContext) async throws -> Response {
        guard case .browser(let address) = context.caller else { throw ConsoleFailure.forbidden }
        let fields = try await FormFields(of: request)
        let name = fields.text("name") ?? ""
        let password = fields["password"]
        guard !name.isEmpty, name.utf8.count <= ConsoleLimits.accountNameBytesMax,
            password.utf8.count <= ConsoleLimits.passwordBytesMax
        else {
            await note(.logInFailed, name, address)
            return page(context, message: "login_wrong", name: "", status: .unauthorized)
        }
        if let wait = state.loginGuard.begin(account: name, address: address, now: state.monotonic()) {
            state.node.logger.warning(
                "log-in locked", metadata: ["account": "\(name)", "remote": "\(address)"])
            await note(.logInLocked, name, address)
            var response = page(context, message: "login_locked", name: name, status: .tooManyRequests)
            response.headers[HTTPField.Name("retry-after")!] = String(wait / 1_000 + 1)
            return response
        }
        let account = try await state.account(name)
        let verifier = account?.verifier ?? PasswordVerifier.nobody
        // A name that does not exist costs the same scrypt.
        let isRight = await state.passwords.run { PasswordVerifier.verify(password, against: verifier) }
        guard isRight, let account, account.role != .system else {
            state.node.logger.warning(
                "log-in failed", metadata: ["account": "\(name)", "remote": "\(address)"])
            await note(.logInFailed, name, address)
            return page(context, message: "login_wrong", name: name, status: .unauthorized)
        }
        // Without its entry there is no session.
        try await state.node.journal(
            JournalDraft(
                .logIn, by: JournalActor(name: account.name, origin: context.actor.origin), on: account.name,
                "role=\(account.role.apiName)"))
        state.loginGuard.succeed(account: name, address: address)
        if let old = RequestCookies.value(SessionTable.cookieName, in: request) { state.sessions.end(old) }
        let id = state.sessions.begin(
            ConsoleAccount(name: account.name, role: account.role, department: account.department),
            verifier: account.verifier, now: state.monotonic())
        state.node.logger.info("logged in", metadata: ["account": "\(name)", "remote": "\(address)"])
        var response = Response.seeOther("/queue")
        response.headers[.setCookie] = Self.cookie(id)
        return response
    }

    /// - Parameter claimed: what was typed: of a telephone number in it the middle is hidden.
    private func note(_ action: JournalAction, _ claimed: String, _ address: String) async {
        let name = Masking.mask(String(claimed.prefix(ConsoleLimits.accountNameBytesMax)))
        await state.node.journalBounded(
            JournalDraft(action, by: JournalActor(name: "", origin: "console \(address)"), on: name))
    }

    private static func cookie(_ id: String, lifetime: String = "") -> String {
        "\(SessionTable.cookieName)=\(id); Secure; HttpOnly; SameSite=Strict; Path=/\(lifetime)"
    }

    private func page(
        _ context: NodeRequestContext, message: String?, name: String, status: HTTPResponse.Status
    ) -> Response {
        let model = Model(message: message.map { state.views.texts[$0, context.visit.language] }, name: name)
        return state.views.page(
            "login", model, title: "login_title", status: status, state: state, visit: context.visit)
    }
}

internal import HTTPTypes
internal import Hummingbird
internal import Replication
internal import Store

extension APIServices {
    func addAccountRoutes(to routes: Routes) {
        routes.get("accounts") { _, _ in
            try reply(AccountList(accounts: try await read { try reader.accounts() }.map(AccountEntry.init)))
        }
        routes.put("accounts/:name") { request, context in
            let name = try parameter("name", context)
            let change = try decode(AccountRequest.self, try await body(of: request, context))
            return try reply(AccountEntry(try await save(change, name: name, by: context.actor)))
        }
        routes.delete("accounts/:name") { _, context in
            let name = try parameter("name", context)
            let actor = context.actor
            let isRemoved = try await node.recording {
                $0 ? [JournalDraft(.accountRemoved, by: actor, on: name)] : []
            } _: {
                try $0.removeAccount(name)
            }
            guard isRemoved else {
                throw APIFailure.noSuchAccount(name)
            }
            return try reply(AccountList(accounts: try await read { try reader.accounts() }.map(AccountEntry.init)))
        }
        routes.post("enrolment/tokens") { request, context in
            let wish = try decode(TokenRequest.self, try await body(of: request, context))
            return try reply(try await makeToken(wish, by: context.actor), status: .created)
        }
    }

    static let accountNameCharactersMax = 64

    private func save(_ change: AccountRequest, name: String, by actor: JournalActor) async throws -> Account {
        guard (1...Self.accountNameCharactersMax).contains(name.count), !name.contains(where: \.isWhitespace) else {
            throw APIFailure.malformed(field: "name", expected: "1–\(Self.accountNameCharactersMax), no blanks")
        }
        let role = try change.role.map { try named($0, "role", Role.self) }
        guard role != .system else { throw APIFailure.malformed(field: "role", expected: "agent|…|admin") }
        let former = try await read { try reader.accounts().first { $0.name == name } }
        // Stretching a password takes a while: on the readers' thread.
        let verifier = try await read { try change.password.map { try PasswordVerifier.make($0, for: name) } }
        guard let verifier = verifier ?? former?.verifier else {
            throw APIFailure.malformed(field: "password", expected: "\(PasswordVerifier.charactersMin)+")
        }
        let account = Account(
            name: name, role: role ?? former?.role ?? .agent,
            department: change.department ?? former?.department ?? department, verifier: verifier,
            created: former?.created ?? node.clock.now())
        let password = change.password == nil ? "kept" : "set"
        let detail = "role=\(account.role.apiName) department=\(account.department) password=\(password)"
        try await node.recording { (_: Void) in
            [JournalDraft(.accountSaved, by: actor, on: name, (former == nil ? "new " : "") + detail)]
        } _: {
            try $0.save(account)
        }
        return account
    }

    static let tokenHoursMax = 7 * 24

    private func makeToken(_ wish: TokenRequest, by actor: JournalActor) async throws -> TokenAnswer {
        let site = try readSite(wish.site)
        let hours = wish.validHours ?? Int(Enrolment.tokenMilliseconds / 3_600_000)
        guard (1...Self.tokenHoursMax).contains(hours) else {
            throw APIFailure.malformed(field: "validHours", expected: "1–\(Self.tokenHoursMax)")
        }
        guard let runtime else { throw APIFailure.notRunning }
        let token = try await Enrolment.makeToken(
            node: node, folder: reader.folder, site: site, addresses: runtime.addresses,
            validMilliseconds: Int64(hours) * 3_600_000, by: actor)
        return TokenAnswer(
            site: site.rawValue, token: token,
            expires: Instant(try EnrolmentToken(text: token).expiresMilliseconds))
    }
}

extension AccountEntry {
    init(_ account: Account) {
        self.init(
            name: account.name, role: account.role.apiName, department: account.department,
            created: Instant(account.created))
    }
}

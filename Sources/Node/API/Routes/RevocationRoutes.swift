internal import Hummingbird
internal import Replication
internal import Store
internal import Tickets

extension APIServices {
    func addRevocationRoutes(to routes: Routes) {
        routes.get("revocations") { _, _ in
            try reply(RevocationList(try await read { try reader.revocations() }))
        }
        routes.get("peers/:site/replicas") { _, context in
            let site = try readSite(try parameter("site", context), "site")
            let known = try await read { try reader.replicas(of: site) }
            return try reply(
                ReplicaList(
                    site: site.rawValue,
                    replicas: known.map {
                        ReplicaList.Entry(
                            replica: $0.replica.description, contiguous: $0.contiguous, highest: $0.highest,
                            lastTime: Instant(nonzero: $0.lastTime), isRevoked: $0.isRevoked)
                    }))
        }
        routes.post("peers/revoke") { request, context in
            let wish = try decode(RevocationRequest.self, try await body(of: request, context))
            let replica = try wish.replica.map { text in
                guard text.count == 16, let value = UInt64(text, radix: 16) else {
                    throw APIFailure.malformed(field: "replica", expected: "16 hexadecimal digits")
                }
                return ReplicaID(value)
            }
            let site = try readSite(wish.site, "site")
            let author = try await administrator(wish.name)
            let records = try await node.revoke(
                RevocationWish(site: site, replica: replica, after: wish.after, reason: wish.reason), by: author,
                keys: KeyFolder(reader.folder))
            return try reply(RevocationList(records))
        }
        routes.get("enrolment/tokens") { _, _ in try reply(try await tokens()) }
        routes.post("enrolment/tokens/revoke") { request, context in
            let wish = try decode(TokenRevocation.self, try await body(of: request, context))
            let site = try wish.site.map { try readSite($0, "site") }
            guard wish.id != nil || site != nil else { throw APIFailure.malformed(field: "id", expected: "id|site") }
            let known = try await read { try reader.enrolments() }
            let meant = known.filter { record in
                (wish.id.map { TokenList.id(of: record) == $0 } ?? true) && (site == nil || record.site == site)
            }
            let now = NodeClock.system()
            let (actor, subject) = (context.actor, wish.id ?? wish.site ?? "")
            let revoked = try await node.recording { count in
                count > 0 ? [JournalDraft(.tokenRevoked, by: actor, on: subject, "count=\(count)")] : []
            } _: {
                try $0.revokeEnrolments(meant.map(\.token), now: now)
            }
            guard revoked > 0 else { throw RevocationError.noOpenToken(wish.id ?? wish.site ?? "") }
            return try reply(try await tokens())
        }
        routes.post("parked/void") { request, context in
            let text = try decode(ReleaseRequest.self, try await body(of: request, context)).dot
            let dot = try text.map(readDot)
            let now = node.clock.now()
            let actor = context.actor
            let thrown = try await node.recording { count in
                guard count > 0 else { return [] }
                return [JournalDraft(.parkedVoided, by: actor, on: dot.map { "\($0)" } ?? "all", "count=\(count)")]
            } _: {
                try $0.discardParked(dot, now: now)
            }
            let left = try await read { try reader.counts().parked }
            return try reply(ReleaseReport(released: thrown, left: left))
        }
    }

    private func tokens() async throws -> TokenList {
        TokenList(try await read { try reader.enrolments() }, now: NodeClock.system())
    }

    /// Who does what only an administrator does; nil: the node itself.
    func administrator(_ name: String?) async throws -> Author {
        guard let name, !name.allSatisfy(\.isWhitespace) else { return await node.systemAuthor }
        return try author(Actor(name: name, role: Role.admin.apiName))
    }

    private func readDot(_ text: String) throws -> Dot {
        guard let dot = Dot(text) else { throw APIFailure.malformed(field: "dot", expected: "REPLICA:SEQUENCE") }
        return dot
    }
}

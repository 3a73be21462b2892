internal import Hummingbird
internal import Store
internal import Transport

extension APIServices {
    func addRootRoutes(to routes: Routes) {
        routes.get("roots") { _, _ in try reply(try await roots()) }
        routes.post("roots/rotate") { request, context in
            let wish = try decode(RootRotation.self, try await body(of: request, context))
            let author = try await administrator(wish.name)
            try await node.rotateRoot(hurries: wish.hurries, by: author, keys: KeyFolder(reader.folder))
            return try reply(try await roots())
        }
        routes.post("roots/retire") { request, context in
            let wish = try decode(RootRetirement.self, try await body(of: request, context))
            let author = try await administrator(wish.name)
            try await node.retireRoot(
                wish.fingerprint, isForced: wish.isForced, by: author, keys: KeyFolder(reader.folder))
            return try reply(try await roots())
        }
    }

    private func roots() async throws -> RootList {
        RootList(try await read { try RootStatus(node: node, keys: KeyFolder(reader.folder), now: NodeClock.system()) })
    }
}

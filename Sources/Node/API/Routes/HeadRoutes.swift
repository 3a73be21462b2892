internal import Hummingbird
internal import Replication
internal import Store

extension APIServices {
    func addHeadRoutes(to routes: Routes) {
        routes.get("sync/heads") { _, _ in try reply(try await heads()) }
        routes.post("sync/heads/forget") { request, context in
            let text = try decode(HeadForgetRequest.self, try await body(of: request, context)).replica
            guard text.count == 16, let number = UInt64(text, radix: 16) else {
                throw APIFailure.malformed(field: "replica", expected: "16 hexadecimal digits")
            }
            let actor = context.actor
            let isForgotten = try await node.recording {
                $0 ? [JournalDraft(.headForgotten, by: actor, on: text)] : []
            } _: {
                try $0.forgetHead(of: ReplicaID(number))
            }
            guard isForgotten else {
                throw APIFailure.malformed(field: "replica", expected: "one of `banjie sync heads`")
            }
            return try reply(try await heads())
        }
    }

    private func heads() async throws -> HeadList {
        let records = try await read { try reader.heads() }
        let sorted = records.sorted { ($0.site, $0.head.replica.rawValue) < ($1.site, $1.head.replica.rawValue) }
        return HeadList(heads: sorted.map(HeadList.Entry.init))
    }
}

internal import Hummingbird
internal import Replication
internal import Store

/// How this node and those it speaks to stand.
struct SyncPages: Sendable {
    let state: ConsoleState

    struct PeerRow {
        var site: String
        var kind: String
        var state: String
        var stateClass: String
        var since: String
        var toSend: String
        var toGet: String
        var offset: String
        var isOffsetLarge: Bool
        var roundTrip: String
        var received: String
        var sent: String
        var lastContact: String
        var failure: String?
    }

    struct ParkedRow {
        var dot: String
        var source: String
        var reason: String
        var since: String
    }

    /// A site in the picture of the tree.
    struct TreeNode {
        var x: Int
        var y: Int
        var textY: Int
        var detailY: Int
        var boxX: Int
        var boxY: Int
        var name: String
        var detail: String
        var stateClass: String
        var hasLine: Bool
        var lineX: Int
        var lineY: Int
        var lineToX: Int
        var lineToY: Int
    }

    struct Model {
        var peers: [PeerRow] = []
        var hasPeers = false
        var parked: [ParkedRow] = []
        var parkedCount = 0
        var hasParked = false
        var tree: [TreeNode] = []
        var treeWidth = 0
        var treeHeight = 0
        var hiddenChildren: String?
        var facts: [TicketModel.Fact] = []
        var renewed = ""
        var refresh = "/sync/panel"
    }

    /// A clock that is further off than this is marked.
    private static let offsetMillisecondsMax: Int64 = 5_000
    private static let treeChildrenMax = 8

    func add(to router: Router<NodeRequestContext>) {
        router.get("sync") { _, context in
            _ = try context.session(.readSync)
            var model = try await model(context)
            let reader = state.node.reader
            let counts = try await state.reports.run { try reader.counts() }
            let words = state.views.words(state, context.visit)
            model.facts = [
                .init(label: words["sync_site"], value: state.node.identity.site.rawValue),
                .init(label: words["sync_replica"], value: "\(state.node.identity.replica)"),
                .init(label: words["sync_tickets"], value: String(counts.tickets)),
                .init(label: words["sync_operations"], value: String(counts.operations)),
                .init(label: words["sync_conflicts"], value: String(counts.conflicts)),
                .init(label: words["sync_contested"], value: String(counts.contested)),
                .init(label: words["sync_search"], value: String(counts.searchBacklog)),
            ]
            return state.views.page("sync", model, title: "nav_sync", state: state, visit: context.visit)
        }
        router.get("sync/panel") { _, context in
            _ = try context.session(.readSync)
            return state.views.fragment(
                "syncpanel", try await model(context), state: state, visit: context.visit)
        }
    }

    private func model(_ context: NodeRequestContext) async throws -> Model {
        let words = state.views.words(state, context.visit)
        let (reader, now) = (state.node.reader, state.node.clock.now())
        let (peers, parked) = try await state.pages.run { (try reader.peers(), try reader.parked()) }
        let links = state.node.links.all
        var model = Model()
        for peer in peers.prefix(ConsoleLimits.peersMax) {
            model.peers.append(Self.row(peer, links[peer.id], words, now: now))
        }
        model.hasPeers = !model.peers.isEmpty
        model.parkedCount = parked.count
        model.hasParked = !parked.isEmpty
        model.parked = parked.prefix(ConsoleLimits.parkedRowsMax).map {
            ParkedRow(dot: "\($0.dot)", source: $0.source, reason: $0.reason, since: words.time($0.since))
        }
        model.renewed = words.filled("renewed_at", words.time(now))
        drawTree(peers, rows: model.peers, words, into: &model)
        return model
    }

    private static func row(
        _ peer: PeerRecord, _ link: LinkTable.Status?, _ words: ConsoleWords, now: Int64
    ) -> PeerRow {
        let isConnected = link?.isConnected == true
        let isPaused = link?.isPaused == true
        let offset = link?.clockOffsetMilliseconds
        var toGet = "—"
        if let remaining = link?.remainingToGet {
            let age = words.duration(now - (link?.remainingKnownAt ?? now))
            toGet = "\(remaining) (\(words.filled("known_since", age)))"
        }
        return PeerRow(
            site: peer.site.rawValue, kind: words["peer_\(peer.role)"],
            state: words[isPaused ? "link_paused" : isConnected ? "link_connected" : "link_disconnected"],
            stateClass: isPaused ? "warn" : isConnected ? (peer.toSendCount > 0 ? "busy" : "ok") : "over",
            since: words.time(link?.since), toSend: String(peer.toSendCount), toGet: toGet,
            offset: offset.map { "\($0) ms" } ?? "—", isOffsetLarge: abs(offset ?? 0) > offsetMillisecondsMax,
            roundTrip: link?.roundTripMilliseconds.map { "\($0) ms" } ?? "—",
            received: link.map { "\($0.receivedOperations) · \(words.bytes($0.receivedBytes))" } ?? "—",
            sent: link.map { "\($0.sentOperations) · \(words.bytes($0.sentBytes))" } ?? "—",
            lastContact: words.time(peer.lastContact), failure: link?.lastFailure)
    }

    private func drawTree(_ peers: [PeerRecord], rows: [PeerRow], _ words: ConsoleWords, into model: inout Model) {
        let children = zip(peers, rows).filter { !$0.0.isParent }.prefix(Self.treeChildrenMax)
        let parent = zip(peers, rows).first { $0.0.isParent }
        let columns = max(1, children.count)
        let (column, level) = (170, 96)
        model.treeWidth = max(column * columns, 360)
        let centre = model.treeWidth / 2
        let ownY = parent == nil ? 34 : 34 + level
        func node(_ x: Int, _ y: Int, _ name: String, _ detail: String, _ kind: String, line: (Int, Int)?) -> TreeNode {
            TreeNode(
                x: x, y: y, textY: y - 2, detailY: y + 15, boxX: x - 76, boxY: y - 24,
                name: name.count > 20 ? name.prefix(19) + "…" : name, detail: detail, stateClass: kind,
                hasLine: line != nil, lineX: x, lineY: y - 24, lineToX: line?.0 ?? 0, lineToY: line?.1 ?? 0)
        }
        if let (_, row) = parent {
            model.tree.append(node(centre, 34, row.site, row.state, row.stateClass, line: nil))
        }
        model.tree.append(
            node(
                centre, ownY, state.node.identity.site.rawValue, words["this_node"],
                "own " + (parent?.1.stateClass ?? ""), line: parent == nil ? nil : (centre, 34 + 24)))
        for (index, child) in children.enumerated() {
            let x = model.treeWidth / columns * index + model.treeWidth / columns / 2
            model.tree.append(
                node(
                    x, ownY + level, child.1.site, child.1.state, child.1.stateClass, line: (centre, ownY + 24)))
        }
        model.treeHeight = (children.isEmpty ? ownY : ownY + level) + 34
        let hidden = peers.count { !$0.isParent } - children.count
        if hidden > 0 { model.hiddenChildren = words.filled("tree_more", String(hidden)) }
    }
}

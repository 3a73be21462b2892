package import Replication

/// Custody as a tree: an opening or reopening is a root, a transfer leads from the custody it names to a new one.
/// What names a custody that has not arrived stays outside until it does. The holder is found by walking down from the
/// root of the last cycle.
final class CustodyTree {
    struct Node {
        /// The event that made it.
        var event: Int
        var parent: Int?
        var cycle: Int
        /// Index + 1 into the ticket's texts.
        var site: UInt32
        /// Index + 1 into the ticket's texts, 0 for none.
        var department: UInt32

        func hasHolder(of other: Node) -> Bool { site == other.site && department == other.department }
    }

    /// A node that took effect, and where the choice of it stands.
    struct PathEntry {
        var node: Int
        var isContested = false
        var settledAt: Int64?
    }

    let facts: Derivation
    private(set) var nodes: [Node] = []
    /// The way really taken in each cycle.
    private(set) var paths: [[PathEntry]] = []
    private(set) var contested: [ContestedTransfer] = []
    /// The opening that counts.
    private(set) var root: Int?
    /// Reopenings of each cycle after the first, concurrent ones together.
    private(set) var reopenings: [[Int]] = []
    /// The event of the custody that each transfer leads from.
    private var parents: [Int?] = []

    init(_ facts: Derivation) {
        self.facts = facts
        groupReopenings()
        guard let root = facts.opens.min(by: facts.isEarlier) else { return }
        self.root = root
        parents = facts.transfers.map { facts.event(facts.ticket.events[$0].first).map(custodyEvent) }
        plant(root)
        grow()
        for cycle in 0...reopenings.count { walk(cycle) }
    }

    /// Several openings of one ticket share the root; concurrent reopenings share a cycle's.
    private func custodyEvent(_ event: Int) -> Int {
        switch facts.ticket.events[event].known {
        case .open: root ?? event
        case .reopen: reopenings.first { $0.contains(event) }?.first ?? event
        default: event
        }
    }

    /// The custody that an event names.
    func target(of event: Int) -> Int? {
        facts.event(facts.ticket.events[event].first).map(custodyEvent)
    }

    private func groupReopenings() {
        for index in facts.reopens.sorted(by: facts.isEarlier) {
            if let last = reopenings.indices.last, !reopenings[last].contains(where: { facts.hasSeen(index, $0) }) {
                reopenings[last].append(index)
            } else {
                reopenings.append([index])
            }
        }
    }

    private func plant(_ root: Int) {
        let events = facts.ticket.events
        let site = events[root].site == 0 ? facts.author(root).site + 1 : events[root].site
        nodes.append(Node(event: root, parent: nil, cycle: 0, site: site, department: events[root].department))
        for (index, group) in reopenings.enumerated() {
            let event = events[group[0]]
            let isNamed = event.department != 0
            nodes.append(
                Node(
                    event: group[0], parent: nil, cycle: index + 1, site: event.site == 0 ? site : event.site,
                    department: isNamed ? event.department : events[root].department))
        }
    }

    private func grow() {
        var next = 0
        while next < nodes.count {
            for (index, transfer) in facts.transfers.enumerated() where parents[index] == nodes[next].event {
                let event = facts.ticket.events[transfer]
                nodes.append(
                    Node(
                        event: transfer, parent: next, cycle: nodes[next].cycle, site: event.site,
                        department: event.department))
            }
            next += 1
        }
    }

    private func walk(_ cycle: Int) {
        var path = [PathEntry(node: cycle)]
        while let last = path.last {
            let children = nodes.indices.filter { nodes[$0].parent == last.node }
            guard !children.isEmpty else { break }
            var entry = choose(among: children, from: last.node)
            if last.isContested { entry.isContested = true }
            path.append(entry)
        }
        paths.append(path)
    }

    /// A settlement decides, whenever it arrives. Else a transfer that had seen another one corrects it, and concurrent
    /// ones are contested.
    private func choose(among children: [Int], from parent: Int) -> PathEntry {
        if children.count == 1 { return PathEntry(node: children[0]) }
        let settlement = settlement(of: parent, among: children)
        let standing = children.filter { child in
            !children.contains { $0 != child && facts.hasSeen(nodes[$0].event, nodes[child].event) }
        }
        let candidates = settlement != nil || standing.isEmpty ? children : standing
        if settlement == nil, candidates.count == 1 { return PathEntry(node: candidates[0]) }
        let winner = settlement?.winner ?? candidates.dropFirst().reduce(candidates[0]) { outranks($1, $0) ? $1 : $0 }
        let described = candidates.sorted { nodes[$0].event < nodes[$1].event }.map(describe)
        let settledAt = settlement.map { facts.instant($0.event) }
        contested.append(
            ContestedTransfer(
                parent: facts.dot(nodes[parent].event), candidates: described, winner: facts.dot(nodes[winner].event),
                settlement: settlement.map { facts.dot($0.event) }, settledAt: settledAt,
                settlementLevel: settlement.flatMap { AuthorityLevel(rawValue: facts.author($0.event).level) },
                arbiter: SiteCode.lowestCommon(described.flatMap { [$0.site, $0.authorSite] })))
        return PathEntry(node: winner, isContested: settlement == nil, settledAt: settledAt)
    }

    /// Of two settlements the higher level's, then the lower dot's.
    private func settlement(of parent: Int, among children: [Int]) -> (event: Int, winner: Int)? {
        var best: (event: Int, winner: Int)?
        for index in facts.settlements where target(of: index) == nodes[parent].event {
            let chosen = facts.event(facts.ticket.detail(of: facts.ticket.events[index]).second)
            guard let winner = children.first(where: { nodes[$0].event == chosen }) else { continue }
            if let present = best, facts.author(index).level <= facts.author(present.event).level { continue }
            best = (index, winner)
        }
        return best
    }

    /// The higher authority, then accepted over offered, then the earlier, then the lower dot.
    private func outranks(_ left: Int, _ right: Int) -> Bool {
        let first = nodes[left].event
        let second = nodes[right].event
        let levels = (facts.author(first).level, facts.author(second).level)
        if levels.0 != levels.1 { return levels.0 > levels.1 }
        let accepted = (isAccepted(first), isAccepted(second))
        if accepted.0 != accepted.1 { return accepted.0 }
        return facts.isEarlier(first, second)
    }

    private func isAccepted(_ event: Int) -> Bool { facts.earliest(facts.accepts, naming: event) != nil }

    private func describe(_ node: Int) -> ContestedTransfer.Candidate {
        let event = nodes[node].event
        return ContestedTransfer.Candidate(
            dot: facts.dot(event), site: site(node), department: department(node), author: facts.authorName(event),
            authorSite: facts.authorSite(event),
            level: AuthorityLevel(rawValue: facts.author(event).level) ?? .branch, at: facts.instant(event),
            isAccepted: isAccepted(event))
    }

    func site(_ node: Int) -> SiteCode {
        facts.ticket.site(nodes[node].site) ?? facts.authorSite(nodes[node].event)
    }

    func department(_ node: Int) -> String { facts.ticket.text(nodes[node].department) ?? "" }

    /// The custody that had the ticket when an event happened.
    func custody(holdingAt event: Int) -> Dot? {
        var result: Dot?
        for path in paths {
            for entry in path where facts.isBefore(nodes[entry.node].event, event) {
                result = facts.dot(nodes[entry.node].event)
            }
        }
        return result
    }

    /// A→B→A, anywhere in the tree: on a losing branch it was a bounce all the same.
    func bounces() -> [Int] {
        nodes.indices.filter { index in
            guard let parent = nodes[index].parent, let before = nodes[parent].parent else { return false }
            return nodes[index].hasHolder(of: nodes[before]) && !nodes[index].hasHolder(of: nodes[parent])
        }
    }

    /// Who alone may transfer a ticket that bounced too often: the lowest site that stands above all that took part.
    func arbiter(of bounces: [Int]) -> SiteCode? {
        let sites = bounces.flatMap { index in [site(index)] + (nodes[index].parent.map { [site($0)] } ?? []) }
        guard let common = SiteCode.lowestCommon(sites) else { return nil }
        return sites.contains(common) ? common.parent ?? common : common
    }
}

extension SiteCode {
    /// The lowest site that all of them lie within; nil if there is none.
    package static func lowestCommon(_ sites: [SiteCode]) -> SiteCode? {
        guard var common = sites.first else { return nil }
        for site in sites.dropFirst() {
            while !site.isWithin(common) {
                guard let parent = common.parent else { return nil }
                common = parent
            }
        }
        return common
    }
}

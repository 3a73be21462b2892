internal import Foundation
internal import NIOCore
package import Replication
package import Store
internal import Tickets
internal import Transport

/// What has become of an office's tickets. Source: Protocols/trust.md §6.
package struct AdmissionReport: Codable, Sendable, Hashable {
    /// Tickets that the new site now takes part in.
    package var tickets: Int
    /// Those that the old site held, which the new one holds now.
    package var transfers: Int

    package init(tickets: Int, transfers: Int) {
        self.tickets = tickets
        self.transfers = transfers
    }
}

package struct MoveReport: Codable, Sendable, Hashable {
    package var formerSite: String
    package var site: String
    package var parent: String
    package var certificateNotAfterMilliseconds: Int64
}

package enum MoveError: Error, CustomStringConvertible {
    case unsent(count: UInt64, peer: SiteCode)
    case provinceCannotMove
    case otherLevel(from: SiteCode, to: SiteCode)
    case notBelow(SiteCode, node: SiteCode)

    package var description: String {
        switch self {
        case .unsent(let count, let peer):
            "\(count) operations have not reached \(peer): let the node sync first, or use --force and lose them to the others until they are released there"
        case .provinceCannotMove: "a province has no other place in the tree"
        case .otherLevel(let from, let to):
            "\(to) is not at the level of \(from): ask for a token of a branch for a branch"
        case .notBelow(let site, let node): "\(site) is not below \(node): do this at a node above both places"
        }
    }
}

extension SyncNode {
    /// Tickets in one transaction of an admission.
    static let admissionTicketsMax = 200

    /// Lets a site into everything that another one takes part in, and gives it what that one holds. To be done at a node
    /// above both, before the office moves, so that its tickets are there when it arrives. Doing it twice changes nothing.
    /// - Throws: `MoveError.notBelow`, `StoreError`.
    package func admit(
        _ new: SiteCode, for old: SiteCode, progress: @Sendable (Int, Int) -> Void
    ) async throws -> AdmissionReport {
        for site in [old, new] where !site.isWithin(identity.site) || site == identity.site {
            throw MoveError.notBelow(site, node: identity.site)
        }
        writeProjection()
        var waiting: [EntityID] = []
        try reader.forEachTicket { ticket in
            if ticket.isLetIn(old), !ticket.isLetIn(new) { waiting.append(ticket.id) }
        }
        var report = AdmissionReport(tickets: 0, transfers: 0)
        var rest = waiting[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.admissionTicketsMax)
            rest = rest.dropFirst(part.count)
            report.transfers += try admit(new, for: old, to: Array(part))
            report.tickets += part.count
            progress(report.tickets, waiting.count)
            // People's commands get their turn in between.
            await Task.yield()
        }
        return report
    }

    private func admit(_ new: SiteCode, for old: SiteCode, to tickets: [EntityID]) throws -> Int {
        var bodies: [(EntityID, Body)] = []
        var transfers = 0
        for id in tickets {
            let summary = try reader.state(of: id)?.summary()
            if let custody = summary?.custody, custody.site == old, summary?.status != .closed {
                transfers += 1
                bodies.append(
                    (
                        id,
                        .transfer(
                            TransferBody(
                                custody: custody.id, variant: .onward, site: new, department: custody.department,
                                reason: "\(old) → \(new)"))
                    ))
            } else {
                bodies.append((id, .watch(WatchBody(name: new.rawValue, site: new))))
            }
        }
        let author = systemAuthor
        _ = try append { [bodies] transaction in
            for (id, body) in bodies { try transaction.append(body, to: id, author: author, scope: [new]) }
        }
        return transfers
    }
}

extension Offices {
    /// Moves the node of a stopped office below another parent: redeems a token for its new site, and goes on with the
    /// same store under a new incarnation.
    /// - Parameter isForced: also if something has not been sent and the site is another one.
    package static func move(
        folder: DataFolder, token text: String, isForced: Bool, options: InitOptions
    ) async throws -> MoveReport {
        let token = try EnrolmentToken(text: text)
        guard let site = SiteCode(token.site), let parent = site.parent, parent.rawValue == token.issuer,
            let address = NodeConfiguration.parse(token.syncAddress)
        else { throw EnrolmentError.unreadableToken }
        let (writer, reader) = try Store.open(
            folder, patienceMilliseconds: NodeRuntime.lockPatienceMilliseconds)
        let former = reader.identity.site
        guard former.parent != nil else { throw MoveError.provinceCannotMove }
        guard former.depth == site.depth else { throw MoveError.otherLevel(from: former, to: site) }
        // At its own site it goes on where it stopped; elsewhere they would be another region's.
        if site != former, !isForced,
            let behind = try reader.peers().first(where: { $0.isParent && $0.toSendCount > 0 })
        {
            throw MoveError.unsent(count: behind.toSendCount, peer: behind.site)
        }
        let enrolled = try await redeem(token, site: site, logger: options.logger)
        let keys = KeyFolder(folder)
        var configuration = try NodeConfiguration(folder: folder)
        configuration.parents = [address]
        try configuration.write(to: folder)
        try enrolled.write(to: keys)
        // Last: until then the folder opens as it did.
        try writer.move(to: site, below: parent)
        return MoveReport(
            formerSite: former.rawValue, site: site.rawValue, parent: parent.rawValue,
            certificateNotAfterMilliseconds: try keys.certificate().notAfterMilliseconds)
    }
}

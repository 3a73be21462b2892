package import Replication

/// A proposal to erase a person, and what has become of it. A function of the operations on one entity, in any order.
///
/// Source: Protocols/personal-data.md §6.
package struct Erasure: Hashable, Sendable {
    /// Dot of the proposal, by which people name it.
    package let proposal: Dot
    package let entity: EntityID
    package let keys: [PersonalKeyID]
    package let reason: String
    package let proposer: Author
    /// UTC milliseconds.
    package let proposed: Int64
    /// Of several confirmations the earliest, then the lowest dot's.
    package internal(set) var confirmation: KeyErasure?
    package internal(set) var confirmer: Author?

    package var isConfirmed: Bool { confirmation != nil }

    /// Every valid proposal, the earliest first.
    ///
    /// > Both are admins, and they are not the same person; whoever merges judges by the operations alone.
    package static func all(of operations: [Operation]) -> [Erasure] {
        var result: [Erasure] = []
        for operation in operations where operation.author.role == .admin {
            guard case .proposeErasure(let body)? = try? Body(decoding: operation) else { continue }
            result.append(
                Erasure(
                    proposal: operation.dot, entity: operation.entity, keys: body.keys, reason: body.reason,
                    proposer: operation.author, proposed: operation.time.milliseconds))
        }
        for operation in operations where operation.author.role == .admin {
            guard case .confirmErasure(let body)? = try? Body(decoding: operation),
                let index = result.firstIndex(where: { $0.proposal == body.proposal && $0.entity == operation.entity }),
                !result[index].proposer.isSamePerson(as: operation.author)
            else { continue }
            let confirmation = KeyErasure(
                confirmation: operation.dot, milliseconds: operation.time.milliseconds)
            if let known = result[index].confirmation, known < confirmation { continue }
            result[index].confirmation = confirmation
            result[index].confirmer = operation.author
        }
        return result.sorted { ($0.proposed, $0.proposal) < ($1.proposed, $1.proposal) }
    }

    /// Runs only where the person is.
    /// - Parameter keys: those that are to go, as far as they are known here.
    package static func propose(
        _ keys: [PersonalKeyID], reason: String, by author: Author
    ) throws(Refusal) -> ProposeErasureBody {
        guard author.role == .admin else { throw .adminOnly }
        let body = ProposeErasureBody(keys: keys.sorted(), reason: reason)
        try body.validate()
        return body
    }

    /// Runs only where the person is.
    /// - Parameter operations: those of the proposal's entity.
    package static func confirm(
        _ proposal: Dot, among operations: [Operation], by author: Author
    ) throws(Refusal) -> ConfirmErasureBody {
        guard author.role == .admin else { throw .adminOnly }
        guard let erasure = all(of: operations).first(where: { $0.proposal == proposal }) else {
            throw .noSuchProposal
        }
        guard !erasure.isConfirmed else { throw .alreadyErased }
        guard !erasure.proposer.isSamePerson(as: author) else { throw .samePerson(name: author.name) }
        return ConfirmErasureBody(proposal: proposal)
    }
}

extension Author {
    /// A name is somebody's within a site.
    func isSamePerson(as other: Author) -> Bool { name == other.name && site == other.site }
}

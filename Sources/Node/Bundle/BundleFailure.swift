package import Replication

/// Why a bundle is not made or not taken. Nothing has been committed when one is thrown, except `.damaged` for a file
/// that changes while it is applied: what came before the damage stays. Source: Protocols/bundle.md §6.
package enum BundleFailure: Error, Hashable, Sendable {
    case file(path: String, FileFault)
    case sender(SiteCode, SenderFault)
    case receiver(SiteCode, ReceiverFault)
    /// How this node and the other stand to each other.
    case standing(SiteCode, StandingFault)

    package enum FileFault: Hashable, Sendable {
        case missing
        /// A folder, a device, anything but a file.
        case noFile
        /// The name is taken.
        case exists
        case noBundle
        case newerVersion(found: Int, known: Int)
        case truncated
        case damaged(part: String)
        case wrongSignature
        /// This node has made it.
        case own
    }

    package enum SenderFault: Hashable, Sendable {
        /// The certificate does not lead to this province's root.
        case untrusted(reason: String)
        case expired(notAfter: Int64)
        /// Its certificate or replica has been revoked.
        case revoked
        /// Neither parent nor child nor another node of the site.
        case unrelated(own: SiteCode)
    }

    package enum ReceiverFault: Hashable, Sendable {
        case otherSite(own: SiteCode)
        /// For this site, and another node or key of it.
        case otherNode
    }

    package enum StandingFault: Hashable, Sendable {
        /// What the bundle goes on from is not here.
        case gap(first: UInt64, last: UInt64, number: Int)
        /// The two do not agree on what came before.
        case differs(position: UInt64)
        /// The other holds another history of this store.
        case otherHistory
        /// There has been no session, hence no certificate to seal for.
        case neverMet
        /// Nothing is sealed for it any more.
        case revoked
        /// The two have to compare before one can say what the other lacks.
        case notCompared
    }
}

extension BundleFailure: CustomStringConvertible {
    package var description: String { phrase.english }
}

internal import Replication
internal import Synchronization
internal import Transport

/// Who signs heads, by certificate chain. Each of a thousand nodes below signs every few seconds under a chain that stays
/// the same for a year, and verifying a chain costs some thirty times what verifying the signature does.
///
/// A chain that is valid at two instants is valid at all between them: it is verified again only for an instant outside.
final class SignerCache: Sendable {
    static let chainsMax = 4_096

    struct Signer: Sendable {
        var site: SiteCode
        var key: VerifyingKey
        /// See `VerifyingKey.fingerprint`.
        var fingerprint: [UInt8]
    }

    private struct Entry {
        var signer: Signer
        var times: ClosedRange<Int64>
    }

    private struct State {
        var rootsPEM = ""
        var entries: [String: Entry] = [:]
    }

    private let state = Mutex(State())

    /// - Parameter time: the instant for which the chain has to be valid, UTC milliseconds.
    /// - Throws: `TransportError`, `HeadFailure.noSite`; nothing is kept then.
    func signer(of chainPEM: String, rootsPEM: String, at time: Int64) throws -> Signer {
        let known = state.withLock { state in
            if state.rootsPEM != rootsPEM { state = State(rootsPEM: rootsPEM) }
            return state.entries[chainPEM]
        }
        if let known, known.times.contains(time) { return known.signer }
        let leaf = try verifyNodeChain(chainPEM, trustRootsPEM: rootsPEM, nowMilliseconds: time)
        guard let site = leaf.nodeURI.flatMap({ SiteCode($0.host) }) else { throw HeadFailure.noSite }
        let key = try VerifyingKey(certificatePEM: chainPEM)
        let signer = Signer(site: site, key: key, fingerprint: try key.fingerprint())
        state.withLock { state in
            guard state.rootsPEM == rootsPEM else { return }
            if state.entries.count >= Self.chainsMax { state.entries.removeAll() }
            let times = state.entries[chainPEM]?.times ?? time...time
            state.entries[chainPEM] = Entry(
                signer: signer, times: min(times.lowerBound, time)...max(times.upperBound, time))
        }
        return signer
    }
}

internal import Foundation
internal import Logging
package import Replication
internal import Store
internal import Tickets
internal import Transport

/// Why a root is neither made nor retired.
package enum RootError: Error, Hashable, Sendable {
    /// Only the province's first node has the root's key.
    case noRoot(SiteCode)
    /// Two roots are trusted already; the older is to be retired first.
    case isRotating(former: String)
    case unknownRoot(String)
    /// Nothing would be left to trust.
    case isNewest(String)
    /// Nodes whose certificates still lead to it.
    case stillUsed([SiteCode])
}

extension SyncNode {
    /// Makes a second root beside the one in force, and tells every node. While two are trusted it makes none, and with
    /// `hurries` tells every node to have its certificates signed under the newer one at once.
    /// - Throws: `RootError`, `StoreError`, `TransportError`.
    package func rotateRoot(hurries: Bool, by author: Author, keys: KeyFolder) async throws {
        let now = NodeClock.system()
        let keeper = RootKeeper(node: self, keys: keys, logger: logger)
        _ = try await keeper.refresh(now: now)
        guard identity.parent == nil, let authority = try keys.authority(subtree: identity.site) else {
            throw RootError.noRoot(identity.site)
        }
        let trusted = try TrustRoots(file: keys.read(.root), nowMilliseconds: now)
        var body: IntroduceRootBody
        if trusted.pems.count > 1 {
            body = IntroduceRootBody(
                root: trusted.pems[0], bridge: try PeerCertificate(pem: keys.read(.authority)).pem, hurries: hurries)
            // After a cut the second root may be here and nobody know of it.
            let isKnown = try await keeper.statements().contains {
                if case .introduceRoot(let known) = $0 { known.bridge == body.bridge } else { false }
            }
            guard hurries || !isKnown else {
                throw RootError.isRotating(former: try PeerCertificate(pem: trusted.pems[1]).fingerprint)
            }
        } else {
            let successor = try authority.makeSuccessor(nowMilliseconds: now, days: Offices.rootDays)
            // The chain that the new key signs with: whoever knows the former root alone is led there by the bridge.
            try keys.write(.nextAuthorityKey, successor.privateKeyPEM)
            try keys.write(.nextAuthority, successor.bridgePEM + authority.chainPEM)
            try keys.write(.root, PeerCertificate(pem: successor.rootPEM).pem + trusted.text)
            body = IntroduceRootBody(root: successor.rootPEM, bridge: successor.bridgePEM, hurries: hurries)
            body.bridge = try PeerCertificate(pem: body.bridge).pem
            // Before anybody hears of it: who does comes at once to be signed under it.
            _ = try await keeper.refresh(now: now)
            roots.announce()
        }
        _ = try append { [body] in try $0.append(.introduceRoot(body), to: .trustRoots, author: author) }
        _ = try await keeper.refresh(now: now)
        roots.announce()
    }

    /// Has a root trusted no more, at every node.
    /// - Parameter fingerprint: its beginning is enough.
    /// - Parameter isForced: also while nodes are known that still come with its certificates: they are shut out.
    /// - Throws: `RootError`, `StoreError`, `TransportError`.
    package func retireRoot(
        _ fingerprint: String, isForced: Bool, by author: Author, keys: KeyFolder
    ) async throws {
        let now = NodeClock.system()
        guard identity.parent == nil, let authority = try keys.authority(subtree: identity.site) else {
            throw RootError.noRoot(identity.site)
        }
        let trusted = try TrustRoots(file: keys.read(.root), nowMilliseconds: now).pems.map {
            try PeerCertificate(pem: $0)
        }
        let wanted = fingerprint.lowercased()
        guard !wanted.isEmpty, let retired = trusted.first(where: { $0.fingerprint.hasPrefix(wanted) }),
            trusted.filter({ $0.fingerprint.hasPrefix(wanted) }).count == 1
        else { throw RootError.unknownRoot(fingerprint) }
        let newest = trusted[0]
        guard retired != newest else { throw RootError.isNewest(newest.fingerprint) }
        let behind = try RootStatus(node: self, keys: keys, now: now).behind
        guard isForced || behind.isEmpty else { throw RootError.stillUsed(Set(behind.map(\.site)).sorted()) }
        let (octets, signer) = (RootFingerprint.octets(retired.fingerprint), RootFingerprint.octets(newest.fingerprint))
        let signature = try SigningKey(privateKeyPEM: authority.privateKeyPEM).sign(
            RetireRootBody.signedBytes(fingerprint: octets, signer: signer))
        let body = RetireRootBody(fingerprint: octets, signer: signer, signature: signature)
        _ = try append { try $0.append(.retireRoot(body), to: .trustRoots, author: author) }
        if !behind.isEmpty {
            logger.warning(
                "a root is retired that nodes still come with: they have to be enrolled anew",
                metadata: ["sites": "\(Set(behind.map(\.site)).sorted())"])
        }
        _ = try await RootKeeper(node: self, keys: keys, logger: logger).refresh(now: now)
        roots.announce()
    }
}

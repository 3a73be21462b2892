package import Replication

/// Kind 38: a province has another root of certificates, which an earlier one vouches for. Belongs to
/// `EntityID.trustRoots`; whoever is its author, the cross-signature alone makes it count.
/// Source: Protocols/trust.md §10.
package struct IntroduceRootBody: Hashable, Sendable {
    /// Self-signed certificate, PEM.
    package var root: String
    /// Its name and key, signed by an earlier root. PEM.
    package var bridge: String
    /// Certificates are to be signed under it at once.
    package var hurries: Bool

    package init(root: String, bridge: String, hurries: Bool = false) {
        self.root = root
        self.bridge = bridge
        self.hurries = hurries
    }
}

extension IntroduceRootBody: KindBody {
    static let kind = Kind.introduceRoot
    var occurrence: Occurrence? { nil }

    init(_ wire: WireIntroduceRoot) throws(BodyFailure) {
        guard !wire.root.isEmpty else { throw .invalid(.introduceRoot, field: "root") }
        guard !wire.bridge.isEmpty else { throw .invalid(.introduceRoot, field: "bridge") }
        self.init(root: wire.root, bridge: wire.bridge, hurries: wire.hurries)
    }

    var wire: WireIntroduceRoot {
        var wire = WireIntroduceRoot()
        wire.root = root
        wire.bridge = bridge
        wire.hurries = hurries
        return wire
    }
}

/// Kind 39: a root is trusted no more; another one has signed that. Belongs to `EntityID.trustRoots`.
/// Source: Protocols/trust.md §10.
package struct RetireRootBody: Hashable, Sendable {
    /// SHA-256 of the certificate in DER, 32 octets.
    package var fingerprint: [UInt8]
    /// Of the root that has signed.
    package var signer: [UInt8]
    package var signature: [UInt8]

    package init(fingerprint: [UInt8], signer: [UInt8], signature: [UInt8]) {
        self.fingerprint = fingerprint
        self.signer = signer
        self.signature = signature
    }

    /// What the signature is over.
    package static func signedBytes(fingerprint: [UInt8], signer: [UInt8]) -> [UInt8] {
        Array("banjie retire root 1".utf8) + [0] + fingerprint + signer
    }

    package static let fingerprintBytes = 32
}

extension RetireRootBody: KindBody {
    static let kind = Kind.retireRoot
    var occurrence: Occurrence? { nil }

    init(_ wire: WireRetireRoot) throws(BodyFailure) {
        guard wire.fingerprint.count == Self.fingerprintBytes else {
            throw .invalid(.retireRoot, field: "fingerprint")
        }
        guard wire.signer.count == Self.fingerprintBytes else { throw .invalid(.retireRoot, field: "signer") }
        self.init(
            fingerprint: Array(wire.fingerprint), signer: Array(wire.signer), signature: Array(wire.signature))
    }

    var wire: WireRetireRoot {
        var wire = WireRetireRoot()
        wire.fingerprint.append(contentsOf: fingerprint)
        wire.signer.append(contentsOf: signer)
        wire.signature.append(contentsOf: signature)
        return wire
    }
}

extension EntityID {
    /// The one entity of everything that is said of roots; like all of its type every node has it.
    package static let trustRoots = EntityID(type: .catalog, high: 0, low: 1)
}

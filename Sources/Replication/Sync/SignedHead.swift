internal import FoundationEssentials

/// A node's word that its incarnation's history up to a sequence is this one and no other. Whoever passes the history on
/// cannot change, drop or reorder any of it without the chain's hash coming out differently.
///
/// Source: Protocols/sync.md §10.
package struct SignedHead: Hashable, Sendable {
    package var replica: ReplicaID
    package var sequence: UInt64
    /// The chain's hash at `sequence`.
    package var chain: ContentHash
    /// UTC milliseconds, by the clock of the node that signed.
    package var time: Int64
    /// The certificate of the key that signed, then its issuers. PEM.
    package var certificateChain: String
    /// ECDSA over SHA-256 with P-256, DER.
    package var signature: [UInt8]

    package init(
        replica: ReplicaID, sequence: UInt64, chain: ContentHash, time: Int64, certificateChain: String,
        signature: [UInt8] = []
    ) {
        self.replica = replica
        self.sequence = sequence
        self.chain = chain
        self.time = time
        self.certificateChain = certificateChain
        self.signature = signature
    }

    /// The bytes that are signed.
    /// - Parameter site: the site that the certificate names.
    package func signedBytes(site: SiteCode) -> [UInt8] {
        var writer = ByteWriter(reserving: 128)
        writer.raw("banjie head 1".utf8)
        writer.byte(0)
        writer.integer(UInt32(site.rawValue.utf8.count))
        writer.raw(site.rawValue.utf8)
        writer.integer(replica.rawValue)
        writer.integer(sequence)
        writer.raw(chain.bytes)
        writer.integer(UInt64(bitPattern: time))
        return writer.bytes
    }
}

/// Limits of signed heads; listed in Protocols/limits.md.
package enum HeadLimits {
    /// Heads in one message.
    package static let headsMax = 32
    package static let certificateBytesMax = 16 * 1024
    package static let signatureBytesMax = 128
}

extension WireSignedHead {
    init(_ head: SignedHead) {
        self.init()
        replica = head.replica.rawValue
        sequence = head.sequence
        chain = .init(head.chain.bytes)
        timeMilliseconds = head.time
        certificateChain = head.certificateChain
        signature = .init(head.signature)
    }
}

extension SignedHead {
    init(_ wire: WireSignedHead) throws(DecodingFailure) {
        guard let chain = ContentHash(wire.chain), wire.sequence > 0, wire.sequence <= OperationLimits.sequenceMax,
            (0..<1 << 48).contains(wire.timeMilliseconds)
        else { throw .invalid(field: "head") }
        guard wire.certificateChain.utf8.count <= HeadLimits.certificateBytesMax else {
            throw .tooLarge(
                field: "head.certificate_chain", count: wire.certificateChain.utf8.count,
                countMax: HeadLimits.certificateBytesMax)
        }
        guard wire.signature.count <= HeadLimits.signatureBytesMax else {
            throw .tooLarge(
                field: "head.signature", count: wire.signature.count, countMax: HeadLimits.signatureBytesMax)
        }
        self.init(
            replica: ReplicaID(wire.replica), sequence: wire.sequence, chain: chain, time: wire.timeMilliseconds,
            certificateChain: wire.certificateChain, signature: Array(wire.signature))
    }
}

extension [SignedHead] {
    init(_ wire: WireHeads) throws(DecodingFailure) {
        guard wire.heads.count <= HeadLimits.headsMax else {
            throw .tooLarge(field: "heads", count: wire.heads.count, countMax: HeadLimits.headsMax)
        }
        self.init()
        for head in wire.heads { append(try SignedHead(head)) }
    }
}

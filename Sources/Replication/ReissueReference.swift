/// What an operation was before it was issued again under a new incarnation: the dot and the hash it had.
///
/// Stands in the operation's extensions, so that it is hashed with it. An operation that is issued again more than once
/// carries one after the other, the latest last. Source: Protocols/operations.md §8.
package struct ReissueReference: Hashable, Sendable {
    /// Tag, replica, sequence, hash.
    package static let byteCount = 1 + 8 + 8 + ContentHash.byteCount
    private static let tag: UInt8 = 1

    package let dot: Dot
    package let hash: ContentHash

    package init(dot: Dot, hash: ContentHash) {
        self.dot = dot
        self.hash = hash
    }

    /// The extensions with this reference behind what they hold.
    package func appended(to extensions: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(reserving: extensions.count + Self.byteCount)
        writer.raw(extensions)
        writer.byte(Self.tag)
        writer.integer(dot.replica.rawValue)
        writer.integer(dot.sequence)
        writer.raw(hash.bytes)
        return writer.bytes
    }

    /// The references in an operation's extensions, the latest last. What else stands there is passed over: a tag that
    /// this version does not know ends the list.
    package static func all(in extensions: [UInt8]) -> [ReissueReference] {
        extensions.withUnsafeBytes { buffer in
            var reader = ByteReader(buffer)
            var result: [ReissueReference] = []
            while let reference = try? read(&reader) { result.append(reference) }
            return result
        }
    }

    private static func read(_ reader: inout ByteReader) throws(DecodingFailure) -> ReissueReference {
        guard try reader.byte() == tag else { throw .invalid(field: "extensions") }
        let dot = Dot(ReplicaID(try reader.integer(UInt64.self)), try reader.integer(UInt64.self))
        guard let hash = ContentHash(try reader.raw(ContentHash.byteCount)), dot.sequence > 0 else {
            throw .invalid(field: "extensions")
        }
        return ReissueReference(dot: dot, hash: hash)
    }
}

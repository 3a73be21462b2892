package import Replication

/// Kind 31: one document of the versioned reference data, a value of a multi-value register.
package struct CatalogDocumentBody: Hashable, Sendable {
    package enum Format: UInt8, Sendable, CaseIterable {
        case json = 1
        case yaml = 2
    }

    package var name: String
    package var version: UInt32
    package var format: Format
    package var content: [UInt8]

    package init(name: String, version: UInt32, format: Format = .json, content: [UInt8]) {
        self.name = name
        self.version = version
        self.format = format
        self.content = content
    }
}

extension CatalogDocumentBody: KindBody {
    static let kind = Kind.catalogDocument
    var occurrence: Occurrence? { nil }

    init(_ wire: WireCatalogDocument) throws(BodyFailure) {
        guard let format = UInt8(exactly: wire.format.rawValue).flatMap(Format.init) else {
            throw .invalid(.catalogDocument, field: "format")
        }
        self.init(name: wire.name, version: wire.version, format: format, content: Array(wire.content))
    }

    var wire: WireCatalogDocument {
        var wire = WireCatalogDocument()
        wire.name = name
        wire.version = version
        wire.format = WireCatalogFormat(rawValue: Int(format.rawValue)) ?? .unspecified
        wire.content.append(contentsOf: content)
        return wire
    }

    func validate() throws(Refusal) {
        guard !name.isEmpty else { throw .missing(.name) }
        try Refusal.check(name, nil)
    }
}

/// The register of one catalog document: which operation's content counts, and whether several do at once.
package struct CatalogRegister: Hashable, Sendable {
    /// The value of a write is its dot: the content is read from the operation.
    package struct Content: Hashable, Sendable {
        package let name: String
        package let version: UInt32
    }

    package private(set) var register = MultiValueRegister<Content>()

    package init() {}

    /// Never refuses; what is no catalog document is passed over.
    package mutating func apply(_ operation: Operation) {
        guard operation.entity.type == .catalog, case .catalogDocument(let body)? = try? Body(decoding: operation)
        else {
            return
        }
        register.write(
            Content(name: body.name, version: body.version), dot: operation.dot, time: operation.time,
            seen: operation.seen)
    }

    /// The write that counts: of concurrent ones the highest version, then the latest, then the greater dot.
    package var displayed: Dot? {
        register.writes.max { ($0.value.version, $0.time, $0.dot) < ($1.value.version, $1.time, $1.dot) }?.dot
    }
}

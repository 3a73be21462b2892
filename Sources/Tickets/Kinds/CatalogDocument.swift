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
}

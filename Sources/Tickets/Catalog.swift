package struct Catalog: Hashable, Sendable, Codable {
    package var version: UInt32
    package static let standard = Catalog(version: 1)
}

package struct Catalog: Hashable, Sendable, Codable {
    package static let bounceLimitStandard = 3
    package var version: UInt32
    package static let standard = Catalog(version: 1)
}

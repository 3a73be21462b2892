// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "banjie",
    dependencies: [
        // Messages of the wire and bodies of operations; the generated code is committed.
        .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
        // The store: connections, transactions and migrations over the system's SQLite.
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    ],
    targets: [
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(
            name: "Replication",
            dependencies: ["COpenSSL", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            swiftSettings: settings),
        .target(
            name: "Tickets",
            dependencies: ["Replication", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            swiftSettings: settings),
        .target(name: "ServiceLevels", dependencies: ["Replication", "Tickets"], swiftSettings: settings),
        .target(
            name: "TestSupport", dependencies: ["Replication", "Tickets"], path: "Tests/TestSupport", swiftSettings: settings),
        .testTarget(
            name: "ReplicationTests", dependencies: ["Replication", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "TicketsTests", dependencies: ["Replication", "Tickets", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "ServiceLevelsTests", dependencies: ["Replication", "Tickets", "ServiceLevels", "TestSupport"],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)

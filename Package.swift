// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

// Lets tests put faults into the program and see whether the simulator finds them; nothing of it is in a release.
let planted = settings + [.define("PLANTED_BUGS", .when(configuration: .debug))]

let package = Package(
    name: "banjie",
    products: [
        .executable(name: "banjie", targets: ["banjie"]),
        .executable(name: "banjie-bench", targets: ["banjie-bench"]),
        .executable(name: "banjie-sim", targets: ["banjie-sim"]),
    ],
    dependencies: [
        // Messages of the wire and bodies of operations; the generated code is committed.
        .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
        // The store: connections, transactions and migrations over the system's SQLite.
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        // Queues that are taken from in front: a link's messages, entities whose rows are behind the log.
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        // Event loops and channels under nghttp2 and OpenSSL.
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        // Structured logs.
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        // Start, graceful shutdown and signals of long-running parts.
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        // The router of API and console; its HTTP and TLS products are not used.
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        // HTTP heads as the router takes them.
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        // The console's pages.
        .package(url: "https://github.com/hummingbird-project/swift-mustache", exact: "2.1.1"),
        // The command line.
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        // Configuration and import mappings, with the line of what is wrong.
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        // Event logs to import.
        .package(url: "https://github.com/swiftcsv/SwiftCSV", exact: "0.10.0"),
    ],
    targets: [
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CNGHTTP2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        // The allocator: a tenth more operations a second than with glibc's, in the same memory.
        .target(name: "CMalloc", linkerSettings: [.linkedLibrary("jemalloc")]),
        .target(
            name: "Replication",
            dependencies: ["COpenSSL", "CZstd", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            swiftSettings: planted),
        .target(
            name: "Tickets",
            dependencies: ["Replication", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            swiftSettings: settings),
        .target(name: "ServiceLevels", dependencies: ["Replication", "Tickets"], swiftSettings: settings),
        .target(
            name: "Assessment", dependencies: ["Replication", "Tickets", "ServiceLevels"], swiftSettings: settings),
        .target(
            name: "Store",
            dependencies: [
                "Replication", "Tickets", "ServiceLevels", "Assessment",
                .product(name: "GRDB", package: "GRDB.swift"), .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings),
        .target(
            name: "Transport",
            dependencies: [
                "CNGHTTP2", "COpenSSL", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .target(
            name: "Node",
            dependencies: [
                "CMalloc", "Replication", "Tickets", "ServiceLevels", "Store", "Transport",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Mustache", package: "swift-mustache"), .product(name: "Yams", package: "Yams"),
                .product(name: "SwiftCSV", package: "SwiftCSV"),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            resources: [.embedInCode("Resources")],
            swiftSettings: settings),
        .executableTarget(
            name: "banjie",
            dependencies: [
                "Replication", "Tickets", "ServiceLevels", "Store", "Transport", "Node",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "banjie-bench",
            dependencies: [
                "Replication", "Tickets", "Store", "Transport", "Node",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"), .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings),
        // A province on virtual time, with everything that goes wrong.
        .target(
            name: "Simulation",
            dependencies: [
                "Replication", "Tickets", "Store", "Node", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "banjie-sim",
            dependencies: [
                "Replication", "Tickets", "Store", "Node", "Simulation",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: planted),
        .target(
            name: "TestSupport",
            dependencies: [
                "Replication", "Tickets", "Transport", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/TestSupport", swiftSettings: settings),
        .testTarget(
            name: "ReplicationTests",
            dependencies: [
                "Replication", "TestSupport", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: settings),
        // The pages in Protocols/ against the code.
        .testTarget(
            name: "ProtocolTests",
            dependencies: [
                "Replication", "Tickets", "Transport", "Node", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "TicketsTests",
            dependencies: [
                "Replication", "Tickets", "TestSupport", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ServiceLevelsTests", dependencies: ["Replication", "Tickets", "ServiceLevels", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "NodeAPITests",
            dependencies: [
                "Replication", "Tickets", "ServiceLevels", "Store", "Transport", "Node", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Hummingbird", package: "hummingbird"),
            ],
            exclude: ["Golden"],
            swiftSettings: settings),
        .testTarget(
            name: "TransportTests",
            dependencies: [
                "Transport", "CNGHTTP2", "TestSupport", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"), .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings),
        // HTTP/2 as RFC 9113 and RFC 7541 have it, case by case, from the other end of a socket.
        .testTarget(
            name: "ConformanceTests",
            dependencies: ["Transport", "TestSupport", .product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: settings),
        .target(
            name: "FaultVFS", dependencies: [.product(name: "GRDBSQLite", package: "GRDB.swift")],
            path: "Tests/FaultVFS", swiftSettings: settings),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Replication", "Tickets", "Store", "Transport", "Node", .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Tests/FuzzTargets", swiftSettings: settings),
        .testTarget(
            name: "FuzzTests",
            dependencies: ["Replication", "Tickets", "Transport", "FuzzTargets", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "StoreTests",
            dependencies: [
                "Replication", "Tickets", "Store", "TestSupport", "FaultVFS",
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "NodeTests",
            dependencies: [
                "COpenSSL", "Replication", "Tickets", "ServiceLevels", "Store", "Transport", "Node", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "SimulationTests", dependencies: ["Replication", "Simulation"],
            exclude: ["PlantedBugs.json", "Regressions.json"],
            swiftSettings: planted),
        .testTarget(
            name: "ImportTests",
            dependencies: [
                "Replication", "Tickets", "Store", "Node", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ConsoleTests",
            dependencies: [
                "Replication", "Tickets", "Store", "Transport", "Node", "TestSupport",
                .product(name: "Hummingbird", package: "hummingbird"), .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)

// Built by itself, with sanitizers: see Deploy/fuzz.sh.
if Context.environment["BANJIE_FUZZER"] != nil {
    package.products.append(.executable(name: "banjie-fuzz", targets: ["Fuzzer"]))
    // Which of the program's counters libFuzzer is told of, and when.
    package.targets.append(
        .target(name: "CounterCells", path: "Tests/CounterCells", cSettings: [.treatAllWarnings(as: .error)]))
    package.targets.append(
        .executableTarget(
            name: "Fuzzer", dependencies: ["FuzzTargets", "CounterCells"], path: "Tests/Fuzzer",
            swiftSettings: settings,
            linkerSettings: [
                .unsafeFlags([
                    // gold ends with an error of its own over what the sanitizers add.
                    "-use-ld=lld",
                    "-Xlinker", "--wrap=__sanitizer_cov_8bit_counters_init",
                    "-Xlinker", "--wrap=__sanitizer_cov_pcs_init",
                ])
            ]))
}

// What Deploy/coverage.sh builds: the cores with their tests, since counters need a build of their own.
if Context.environment["BANJIE_CORES"] != nil {
    let cores = [
        "COpenSSL", "CZstd", "Replication", "Tickets", "ServiceLevels", "TestSupport", "ReplicationTests",
        "TicketsTests", "ServiceLevelsTests",
    ]
    package.products = []
    package.targets.removeAll { !cores.contains($0.name) }
    for support in package.targets where support.name == "TestSupport" {
        support.dependencies = ["Replication", "Tickets"]
        support.exclude = ["Frame.swift", "RawClient.swift", "RawPeer.swift", "TestAuthority.swift"]
    }
}

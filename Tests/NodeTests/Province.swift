import Foundation
import Logging
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets
import Transport

/// Offices of one province as real nodes in this process: own folders, own listeners on ports that the system chose,
/// real TLS between them.
final class Province {
    final class Office {
        let site: SiteCode
        let folder: DataFolder
        /// Where the node says what happens, from its next start on.
        var logger = quiet
        private(set) var runtime: NodeRuntime?
        private var task: Task<Void, any Error>?

        init(site: SiteCode, folder: DataFolder) {
            self.site = site
            self.folder = folder
        }

        /// The same running office under another code.
        init(site: SiteCode, running other: Office) {
            self.site = site
            folder = other.folder
            runtime = other.runtime
        }

        /// Changes `node.yaml` of a stopped office.
        func configure(_ change: (inout NodeConfiguration) -> Void) throws {
            var configuration = try NodeConfiguration(folder: folder)
            change(&configuration)
            try configuration.yaml.write(toFile: folder.configuration, atomically: true, encoding: .utf8)
        }

        /// Waits until the node has found that its store has to be opened anew, and does so.
        func reopenWhenAsked() async throws {
            try await eventually("the node asks for its store to be opened anew") {
                self.runtime?.needsReopening == true
            }
            _ = await task?.result
            self.runtime = nil
            try await start()
        }

        var node: SyncNode {
            get throws { try #require(runtime, "the office is not running").node }
        }

        func start() async throws {
            let runtime = try await NodeService.open(folder, logger)
            self.runtime = runtime
            task = Task { try await runtime.run() }
            try await eventually("the office is up") { runtime.isUp }
        }

        func stop() async {
            task?.cancel()
            _ = await task?.result
            task = nil
            runtime = nil
        }
    }

    let root: String
    private(set) var offices: [Office] = []

    init() throws {
        root = NSTemporaryDirectory() + "banjie-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: root)
    }

    func stop() async {
        for office in offices.reversed() { await office.stop() }
    }

    /// A second node of a province, which dials the first.
    func addSibling(of first: Office) async throws -> Office {
        let office = Office(site: first.site, folder: DataFolder(path: root + "/\(first.site)-\(offices.count)"))
        let runtime = try #require(first.runtime)
        let token = try await Enrolment.makeToken(
            node: runtime.node, folder: first.folder, site: first.site, addresses: runtime.addresses)
        var configuration = NodeConfiguration()
        configuration.listen = .hostPort("127.0.0.1", 0)
        configuration.enrolment = nil
        configuration.console = nil
        _ = try await Offices.join(
            folder: office.folder, token: token, options: InitOptions(configuration: configuration, logger: quiet))
        offices.append(office)
        try await office.start()
        return office
    }

    /// Enrols a site at its parent (or makes the province) and starts it.
    /// - Parameter folder: its name, where another node of the site has been in the usual one.
    /// - Parameter starting: false leaves an office that is enrolled and has never dialled.
    func add(
        _ code: String, folder: String? = nil, starting: Bool = true,
        configuration change: (inout NodeConfiguration) -> Void = { _ in }
    ) async throws -> Office {
        let site = try #require(SiteCode(code))
        let office = Office(site: site, folder: DataFolder(path: root + "/" + (folder ?? code)))
        var configuration = NodeConfiguration()
        configuration.listen = .hostPort("127.0.0.1", 0)
        configuration.enrolment = .hostPort("127.0.0.1", 0)
        configuration.console = nil
        change(&configuration)
        let options = InitOptions(configuration: configuration, logger: quiet)
        if let parent = site.parent {
            let issuer = try #require(offices.first { $0.site == parent })
            let runtime = try #require(issuer.runtime)
            let token = try await Enrolment.makeToken(
                node: runtime.node, folder: issuer.folder, site: site, addresses: runtime.addresses)
            _ = try await Offices.join(folder: office.folder, token: token, options: options)
        } else {
            _ = try await Offices.initialiseProvince(folder: office.folder, site: site, options: options)
        }
        offices.append(office)
        if starting { try await office.start() }
        return office
    }
}

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

func agent(at site: SiteCode, department: String = "service", name: String = "小王") -> Author {
    Author(
        name: name, role: .dispatcher, level: AuthorityLevel(of: site), site: site, department: department)
}

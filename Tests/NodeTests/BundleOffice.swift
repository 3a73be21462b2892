import Foundation
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets

/// What tests of bundles do at an office of a `Province`, through the API that the command line uses: over the socket of
/// a running node, in the folder of a stopped one.
extension Province.Office {
    private func client() async throws -> NodeClient {
        var client: NodeClient?
        // A node that has just stopped lets go of its folder soon.
        try await eventually("the folder of \(site) can be opened") {
            client = try? await NodeClient.open(folder, language: .english, logger: quiet)
            return client != nil
        }
        return try #require(client)
    }

    func job<Report: Decodable>(_ path: String, _ request: some Encodable) async throws -> Report {
        let client = try await client()
        do {
            var job: JobState = try await client.post("/api/v1/jobs/" + path, request)
            try await eventually("the job has ended") {
                if !job.isFinished { job = try await client.get("/api/v1/jobs/\(job.id)") }
                return job.isFinished
            }
            if let error = job.error { throw error }
            await client.close()
            return try job.bundleReport()
        } catch {
            await client.close()
            throw error
        }
    }

    func create(for peer: Province.Office, path: String? = nil, operationsMax: Int? = nil) async throws -> BundleReport
    {
        try await job("bundle", BundleRequest(peer: peer.site.rawValue, path: path, operationsMax: operationsMax))
    }

    func apply(_ path: String) async throws -> BundleAppliedReport {
        try await job("bundle-apply", BundleApplyRequest(path: path))
    }

    /// Tickets of this office's own, written at its running node.
    @discardableResult
    func work(tickets: Int, transferTo other: SiteCode? = nil) async throws -> [EntityID] {
        var ids: [EntityID] = []
        for index in 0..<tickets {
            let opened = try await node.execute(
                TicketCommand(
                    ticket: nil, version: VersionVector(),
                    action: .open(OpenBody(title: "断线工单 \(index)", category: "network", department: "service"))),
                by: agent(at: site))
            ids.append(opened.ticket)
            guard let other else { continue }
            let state = try #require(try node.reader.state(of: opened.ticket))
            _ = try await node.execute(
                TicketCommand(
                    ticket: opened.ticket, version: state.version,
                    action: .transfer(.dispatch, site: other, department: "network", reason: "", note: "请处理")),
                by: agent(at: site))
        }
        return ids
    }

    /// The parent has another port after its restart: what an admin would write into the file.
    func dial(_ parent: Province.Office) throws {
        var configuration = try NodeConfiguration(folder: folder)
        let address = try #require(parent.runtime?.addresses.sync)
        configuration.parents = [try #require(NodeConfiguration.parse(address))]
        try configuration.yaml.write(toFile: folder.configuration, atomically: true, encoding: .utf8)
    }
}

/// Waits until two offices hold the same, and know it.
func settled(_ child: Province.Office, _ parent: Province.Office) async throws {
    try await eventually("\(child.site) and \(parent.site) have settled") {
        guard let above = try child.node.reader.peer(parent.site), let below = try parent.node.reader.peer(child.site),
            above.toSendCount == 0, below.toSendCount == 0, above.acknowledgedPosition > 0
        else { return false }
        return try child.node.reader.counts().digest == parent.node.reader.counts().digest
    }
}

func permissions(_ path: String) throws -> Int {
    try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber).intValue
}

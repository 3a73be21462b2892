internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Replication
internal import Store
internal import Tickets

extension APIServices {
    /// Under this name a bundle job's result has its report as JSON.
    static let bundleReportName = "report"

    func addBundleRoutes(to routes: Routes) {
        routes.post("jobs/bundle") { request, context in
            let wish = try decode(BundleRequest.self, try await body(of: request, context))
            let peer = try readSite(wish.peer, "peer")
            let path = try wish.path ?? standardBundlePath(for: peer)
            guard path.hasPrefix("/") else { throw APIFailure.malformed(field: "path", expected: "/…") }
            let operations = wish.operationsMax ?? BundleLimits.operationsMax
            guard (1...BundleLimits.operationsMax).contains(operations) else {
                throw APIFailure.malformed(field: "operationsMax", expected: "1–\(BundleLimits.operationsMax)")
            }
            let actor = context.actor
            let job = try jobs.start("bundle", language: language(request)) { progress in
                let report = try await BundleMaker(node: node, keys: KeyFolder(reader.folder)).make(
                    for: peer, path: path, operationsMax: operations, created: NodeClock.system(), progress: progress)
                try await node.journal(JournalDraft(.bundleMade, by: actor, on: wish.peer, "file=\(path)"))
                return [Self.bundleReportName: String(decoding: try JSONReply.encode(report), as: UTF8.self)]
            }
            return try reply(job, status: .accepted)
        }
        routes.post("jobs/bundle-apply") { request, context in
            let wish = try decode(BundleApplyRequest.self, try await body(of: request, context))
            guard wish.path.hasPrefix("/") else { throw APIFailure.malformed(field: "path", expected: "/…") }
            let actor = context.actor
            let job = try jobs.start("bundle-apply", language: language(request)) { progress in
                let report = try await BundleApplier(node: node, keys: KeyFolder(reader.folder)).apply(
                    path: wish.path, allowsExpired: wish.allowsExpired ?? false, now: NodeClock.system(),
                    progress: progress)
                try await node.journal(JournalDraft(.bundleApplied, by: actor, on: wish.path))
                return [Self.bundleReportName: String(decoding: try JSONReply.encode(report), as: UTF8.self)]
            }
            return try reply(job, status: .accepted)
        }
    }

    private func standardBundlePath(for peer: SiteCode) throws -> String {
        let folder = reader.folder.bundles
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StoreError.file(path: folder, operation: "creating the folder", reason: "\(error)")
        }
        let stamp = CivilTime(milliseconds: NodeClock.system()).stamp
        return "\(folder)/\(node.identity.site)-to-\(peer)-\(stamp)Z.\(BundleFormat.fileExtension)"
    }
}

extension JobState {
    /// The report of a bundle's job.
    /// - Throws: what decoding throws, for another job or one that has not ended.
    package func bundleReport<Report: Decodable>(_ type: Report.Type = Report.self) throws -> Report {
        try JSONDecoder().decode(type, from: Data((result?[APIServices.bundleReportName] ?? "").utf8))
    }
}

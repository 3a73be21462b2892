internal import Foundation
internal import Hummingbird
internal import Store
internal import Tickets

/// Asks the node that owns the store to import a file; both paths are read by the node's own process.
package struct ImportRequest: Codable, Sendable, Hashable {
    /// Absolute.
    package var csv: String
    /// Absolute.
    package var mapping: String
    package var options: ImportOptions

    package init(csv: String, mapping: String, options: ImportOptions) {
        self.csv = csv
        self.mapping = mapping
        self.options = options
    }
}

extension ImportReport {
    /// Where a finished job keeps it, as JSON.
    static let resultName = "report"

    /// What a finished job has reported.
    package init(_ job: JobState) throws {
        let text = job.result?[Self.resultName] ?? ""
        self = try JSONDecoder().decode(ImportReport.self, from: Data(text.utf8))
    }
}

extension APIServices {
    /// An import is a job: it outlives the request, and one runs at a time.
    func addImportRoutes(to routes: Routes) {
        routes.post("jobs/import") { request, context in
            let wish = try decode(ImportRequest.self, try await body(of: request, context))
            for (field, path) in [("csv", wish.csv), ("mapping", wish.mapping)] where !path.hasPrefix("/") {
                throw APIFailure.malformed(field: field, expected: "/…")
            }
            let language = language(request)
            let job = try jobs.start("import", language: language) { progress in
                let key = try KeyFolder(reader.folder).provinceKey()
                do {
                    let report = try await Importer().run(
                        csv: wish.csv, mapping: wish.mapping, options: wish.options, node: node, key: key,
                        progress: progress)
                    return [ImportReport.resultName: String(decoding: try JSONReply.encode(report), as: UTF8.self)]
                } catch let problem as ImportOptionProblem {
                    throw APIError(status: 400, code: "importOptions", message: problem.description)
                }
            }
            return try reply(job, status: .accepted)
        }
    }
}

internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Store
internal import Tickets

/// The body of `POST /api/v1/jobs/import`: files of this machine, by their full paths.
package struct ImportRequest: Codable, Sendable, Hashable {
    package var csv: String
    package var mapping: String
    /// Absent for none.
    package var options: ImportOptions?

    package init(csv: String, mapping: String, options: ImportOptions? = nil) {
        self.csv = csv
        self.mapping = mapping
        self.options = options
    }
}

extension APIServices {
    /// The job's result has an `ImportReport` as JSON under this name.
    static let importReportName = "report"

    func addImportRoutes(to routes: Routes) {
        routes.post("jobs/import") { request, context in
            let wish = try decode(ImportRequest.self, try await body(of: request, context))
            for (field, path) in [("csv", wish.csv), ("mapping", wish.mapping)] where !path.hasPrefix("/") {
                throw APIFailure.malformed(field: field, expected: "/…")
            }
            let job = try jobs.start("import", language: language(request)) { progress in
                let report = try await Importer().run(
                    csv: wish.csv, mapping: wish.mapping, options: wish.options ?? ImportOptions(), node: node,
                    key: try KeyFolder(reader.folder).provinceKey(), progress: progress)
                return [Self.importReportName: String(decoding: try JSONReply.encode(report), as: UTF8.self)]
            }
            return try reply(job, status: .accepted)
        }
    }
}

extension JobState {
    /// What an import has done; nil for another job or one that has not ended.
    package var importReport: ImportReport? {
        result?[APIServices.importReportName].flatMap {
            try? JSONDecoder().decode(ImportReport.self, from: Data($0.utf8))
        }
    }
}

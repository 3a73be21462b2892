import Dispatch
import Foundation
import Testing

enum SimulatorProgram {
    /// `banjie-sim` in the folder of the running test program.
    static let path: String? = {
        guard let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else { return nil }
        let path = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("banjie-sim").path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()
}

/// A bounded portion of `banjie-sim kill`. Source: Protocols/simulation.md §7.
@Suite(.enabled(if: SimulatorProgram.path != nil, "banjie-sim was not built: swift build --build-tests"))
struct KillTests {
    private struct Report: Decodable {
        struct Tally: Decodable {
            var cycles: Int
            var acknowledged: Int
            var wholeLooks: Int
        }

        var tally: Tally
        var violation: String?
    }

    /// On a thread of its own: other tests' tasks need theirs.
    private func kill(_ arguments: String...) async throws -> Report {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("banjie-kill-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: try #require(SimulatorProgram.path))
        process.arguments = ["kill", "--json", "--folder", folder.path, "--seconds", "90"] + arguments
        process.standardOutput = output
        try process.run()
        let data = try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "kill").async {
                continuation.resume(with: Result { try output.fileHandleForReading.readToEnd() ?? Data() })
            }
        }
        return try JSONDecoder().decode(Report.self, from: data)
    }

    @Test("what a killed node has acknowledged is there when it starts again, and nothing is there in part")
    func holds() async throws {
        let report = try await kill("--cycles", "50", "--seed", "1")
        #expect(report.violation == nil)
        #expect(report.tally.cycles == 50 && report.tally.acknowledged > 0 && report.tally.wholeLooks == 1)
    }

    #if PLANTED_BUGS
        @Test(
            "kills find a planted bug",
            arguments: ["projectionCursorForgotten", "sequenceRepeatsAfterStart", "feedLengthNotSaved"])
        func finds(_ bug: String) async throws {
            let report = try await kill("--cycles", "50", "--seed", "1", "--plant", bug)
            #expect(report.violation != nil)
        }
    #endif
}

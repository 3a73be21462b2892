import ArgumentParser
import Foundation
import Logging
import Node
import Store
import Tickets

/// Options of every command.
struct GlobalOptions: ParsableArguments {
    @Option(help: hint("数据目录（默认 $BANJIE_DATA 或 ~/.banjie）", "Data folder (default: $BANJIE_DATA, or ~/.banjie)"))
    var data: String?

    @Flag(help: hint("以一个 JSON 对象输出", "Write one JSON object"))
    var json = false

    var folder: DataFolder {
        let environment = ProcessInfo.processInfo.environment
        let given = data ?? environment["BANJIE_DATA"].flatMap { $0.isEmpty ? nil : $0 } ?? "~/.banjie"
        let expanded = (given as NSString).expandingTildeInPath
        return DataFolder(path: URL(fileURLWithPath: expanded).standardizedFileURL.path)
    }
}

/// One run of a command: where it writes, for whom, and how it ends.
struct Session: Sendable {
    let isJSON: Bool
    let folder: DataFolder
    let presentation: Presentation

    init(_ options: GlobalOptions) {
        isJSON = options.json
        folder = options.folder
        presentation = Presentation(language: commandLanguage, utcOffsetMinutes: localOffsetMinutes)
    }

    /// Standard output gets the result, as JSON or as text.
    func show<Value: Encodable>(_ value: Value, _ text: (Value) -> String) throws {
        if isJSON {
            FileHandle.standardOutput.write(try JSONReply.encode(value, pretty: true) + Data("\n".utf8))
        } else {
            FileHandle.standardOutput.write(Data(text(value).utf8))
        }
    }

    /// Runs a command that needs no node. Errors become text or JSON on standard error and an exit code.
    static func run(_ options: GlobalOptions, _ body: (Session) async throws -> ExitStatus) async throws {
        let session = Session(options)
        let status: ExitStatus
        do {
            status = try await body(session)
        } catch let error as ExitCode {
            throw error
        } catch let error as ValidationError {
            throw error
        } catch {
            let described = APIError(error, commandLanguage)
            session.report(described)
            status = ExitStatus(httpStatus: described.status)
        }
        guard status == .success else { throw ExitCode(status.rawValue) }
    }

    /// Runs a command that talks to the folder's node, running or not.
    static func withNode(
        _ options: GlobalOptions, _ body: (Session, NodeClient) async throws -> ExitStatus
    ) async throws {
        try await run(options) { session in
            let client = try await NodeClient.open(session.folder, language: commandLanguage, logger: session.logger)
            do {
                let status = try await body(session, client)
                await client.close()
                return status
            } catch {
                await client.close()
                throw error
            }
        }
    }

    /// What goes wrong is told by the command itself; the log is for a node.
    var logger: Logger {
        var logger = Logger(label: "banjie")
        logger.logLevel = .critical
        return logger
    }

    func progress(_ chinese: String, _ english: String) -> ProgressReporter {
        ProgressReporter(say(chinese, english), style: .fitting(isForProgram: isJSON))
    }

    private func report(_ error: APIError) {
        let data: Data
        if isJSON, let encoded = try? JSONReply.encode(error) {
            data = encoded + Data("\n".utf8)
        } else {
            data = Data(error.text(presentation).utf8)
        }
        FileHandle.standardError.write(data)
    }
}

/// Waits for a job of the node, showing how far it is.
func finish(_ started: JobState, client: NodeClient, progress: ProgressReporter) async throws -> JobState {
    var job = started
    while !job.isFinished {
        try await Task.sleep(for: .milliseconds(100))
        job = try await client.get("/api/v1/jobs/\(APIPath.escape(job.id))")
        progress.update(job.done, of: job.total)
    }
    progress.finish()
    if let error = job.error { throw error }
    return job
}

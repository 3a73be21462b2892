import Foundation
import Node
import Store
import Synchronization
import TestSupport
import Testing
import Tickets
import Transport

#if canImport(Glibc)
    import Glibc
#endif

/// An office whose node is a process of its own: the program that was built beside these tests.
final class NodeProcess {
    /// Lines of the node's log, each with the instant at which this process got it.
    final class Journal: Sendable {
        struct Line: Sendable {
            var text: String
            /// Milliseconds of a clock that never steps.
            var at: Double
        }

        private let state = Mutex<(lines: [Line], rest: [UInt8])>(([], []))

        var lines: [Line] { state.withLock { $0.lines } }

        func take(_ bytes: Data) {
            let now = NodeProcess.now
            state.withLock { state in
                state.rest += bytes
                while let end = state.rest.firstIndex(of: UInt8(ascii: "\n")) {
                    state.lines.append(Line(text: String(decoding: state.rest[..<end], as: UTF8.self), at: now))
                    state.rest.removeFirst(end + 1)
                }
            }
        }

        func first(_ part: String, after count: Int = 0) -> Line? {
            lines.dropFirst(count).first { $0.text.contains(part) }
        }
    }

    struct Outcome: Sendable {
        var status: Int32
        var output: String
        var errors: String
    }

    /// `banjie` in the folder of the running test program; nil if only the tests were built.
    static let program: String? = {
        guard let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else { return nil }
        let path = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("banjie").path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    static var now: Double { Double(DispatchTime.now().uptimeNanoseconds) / 1_000_000 }

    /// How long one command or one start may take.
    static let secondsMax = 30.0

    let folder: DataFolder
    private(set) var journal = Journal()
    private var process: Process?

    init(_ path: String) {
        folder = DataFolder(path: path)
    }

    deinit {
        // A test that has failed leaves no node behind.
        process?.terminate()
    }

    // MARK: Commands

    /// Runs any program, with a bounded time.
    static func run(
        _ program: String, _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) async throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let (inputPipe, output, errors) = (Pipe(), Pipe(), Pipe())
        process.standardInput = inputPipe
        process.standardOutput = output
        process.standardError = errors
        let texts = Mutex<(Data, Data)>((Data(), Data()))
        output.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            texts.withLock { $0.0 += data }
        }
        errors.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            texts.withLock { $0.1 += data }
        }
        try process.run()
        try? inputPipe.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try? inputPipe.fileHandleForWriting.close()
        do {
            try await eventually("\(program) \(arguments.prefix(3)) ends", within: secondsMax) { !process.isRunning }
        } catch {
            process.terminate()
            throw error
        }
        output.fileHandleForReading.readabilityHandler = nil
        errors.fileHandleForReading.readabilityHandler = nil
        // What had not been handed out yet.
        let rest = ((try? output.fileHandleForReading.readToEnd()) ?? nil) ?? Data()
        let restOfErrors = ((try? errors.fileHandleForReading.readToEnd()) ?? nil) ?? Data()
        return texts.withLock {
            Outcome(
                status: process.terminationStatus, output: String(decoding: $0.0 + rest, as: UTF8.self),
                errors: String(decoding: $0.1 + restOfErrors, as: UTF8.self))
        }
    }

    /// A command at this office; its errors are in English.
    @discardableResult
    func command(_ arguments: String..., failing: Bool = false) async throws -> Outcome {
        let outcome = try await Self.run(
            try #require(Self.program), arguments,
            environment: ["BANJIE_DATA": folder.path, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"])
        #expect((outcome.status != 0) == failing, "\(arguments): \(outcome)")
        return outcome
    }

    /// One value of a command's JSON object.
    func value(_ path: [String], of arguments: String...) async throws -> String {
        let outcome = try await Self.run(
            try #require(Self.program), arguments + ["--json"], environment: ["BANJIE_DATA": folder.path])
        var found = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
        for key in path { found = try #require((found as? [String: Any])?[key], "\(key) of \(outcome)") }
        return "\(found)"
    }

    // MARK: The node

    func start() async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.program))
        process.arguments = ["run", "--data", folder.path]
        let (pipe, journal) = (Pipe(), Journal())
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        pipe.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty { handle.readabilityHandler = nil } else { journal.take(data) }
        }
        self.journal = journal
        self.process = process
        try process.run()
        try await eventually("the node of \(folder.path) is up", within: Self.secondsMax) {
            journal.first("node is up") != nil || !process.isRunning
        }
        #expect(process.isRunning, "\(journal.lines.map(\.text))")
    }

    func stop() async throws {
        guard let process else { return }
        process.terminate()
        try await eventually("the node of \(folder.path) has ended", within: Self.secondsMax) { !process.isRunning }
        self.process = nil
    }

    var isRunning: Bool { process?.isRunning == true }

    /// Where its children dial.
    func address() throws -> TransportAddress {
        let line = try #require(journal.first("node is up")).text
        let text = try #require(line.firstMatch(of: /sync=([0-9.]+:[0-9]+)/)).1
        return try #require(NodeConfiguration.parse(String(text)))
    }

    func status() async throws -> SyncStatus {
        let client = try await NodeClient.open(folder, language: .english, logger: quiet)
        do {
            let status: SyncStatus = try await client.get("/api/v1/sync")
            await client.close()
            return status
        } catch {
            await client.close()
            throw error
        }
    }

    /// Whether it has a session with a site, in whichever role that is.
    func isConnected(to site: String) async throws -> Bool {
        try await status().peers.contains { $0.site == site && $0.isConnected }
    }

    /// Whether the ticket is here.
    func has(_ ticket: String) async throws -> Bool {
        let client = try await NodeClient.open(folder, language: .english, logger: quiet)
        let found = try? await client.send("GET", "/api/v1/tickets/\(ticket)", [])
        await client.close()
        return found != nil
    }
}

/// A province of processes.
struct ProcessProvince {
    let root: String

    init() throws {
        root = NSTemporaryDirectory() + "banjie-process-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: root)
    }

    /// Makes an office with the program's own commands, and starts it.
    func add(_ code: String, below parent: NodeProcess? = nil) async throws -> NodeProcess {
        let office = NodeProcess(root + "/" + code)
        let listeners = ["--listen", "127.0.0.1:0", "--enrolment", "127.0.0.1:0", "--console", "off"]
        var arguments = ["init", "--data", office.folder.path] + listeners
        if let parent {
            let token = root + "/\(code).token"
            try await parent.command("enrol", "token", "new", code, "--output", token)
            arguments += ["--token-file", token]
        } else {
            arguments += ["--province", "--site", code]
        }
        let made = try await NodeProcess.run(try #require(NodeProcess.program), arguments)
        #expect(made.status == 0, "\(made)")
        try await office.start()
        return office
    }
}

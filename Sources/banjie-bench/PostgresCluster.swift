internal import Foundation

/// One PostgreSQL server of our own, on 127.0.0.1 and a port that was free, run by the user `postgres` where this
/// process is root. It ends when it is told to, and also when this process goes away: a shell beside it waits for the
/// end of its input and then ends the server by its process number. (It does not start the server: signals of children
/// are blocked in what is started from here, so that a shell would wait for its own for ever.)
final class PostgresCluster {
    static let binaries = "/usr/lib/postgresql"
    static let startSecondsMax = 60.0
    static let endSecondsMax = 60.0

    let port: Int
    private let bin: String
    private let process = Process()
    private let watcher = Process()
    private let input = Pipe()

    /// Folder of the newest installed version's programs; nil where there is none.
    static var newest: String? {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: binaries)) ?? []
        let newest = versions.compactMap { Int($0) }.max()
        return newest.map { "\(binaries)/\($0)/bin" }.flatMap {
            FileManager.default.isExecutableFile(atPath: $0 + "/initdb") ? $0 : nil
        }
    }

    /// - Parameter folder: new; its parents have to be open to the user `postgres`.
    init(bin: String, folder: String, owner: String) throws {
        self.bin = bin
        port = try Self.freePort()
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        if geteuid() == 0 { try Self.run("/bin/chown", [owner, folder]) }
        let data = folder + "/data"
        let initialise =
            Self.asOwner(owner) + [
                bin + "/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
            ]
        try Self.run(initialise[0], Array(initialise.dropFirst()))
        let settings = [
            "listen_addresses=127.0.0.1", "port=\(port)", "unix_socket_directories=", "wal_level=logical",
            "shared_buffers=512MB", "max_wal_size=4GB", "synchronous_commit=on", "wal_retrieve_retry_interval=100ms",
        ]
        let command =
            Self.asOwner(owner) + [bin + "/postgres", "-D", data] + settings.flatMap { ["-c", $0] }
        let log = folder + "/log"
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle(forWritingAtPath: log)
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        try process.run()
        do {
            try watch()
        } catch {
            kill(process.processIdentifier, SIGINT)
            throw error
        }
        let limit = Date().addingTimeInterval(Self.startSecondsMax)
        while (try? Self.run(bin + "/pg_isready", ["-q", "-h", "127.0.0.1", "-p", "\(port)"])) == nil {
            guard process.isRunning, Date() < limit else {
                end()
                let said = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
                throw BenchError("PostgreSQL does not start: \(said.suffix(500))")
            }
            usleep(50_000)
        }
    }

    private func watch() throws {
        watcher.executableURL = URL(fileURLWithPath: "/bin/sh")
        watcher.arguments = [
            "-c",
            """
            trap '' INT TERM HUP; read end; read name < /proc/$1/comm && [ "$name" = postgres ] && kill -INT "$1"
            """, "sh", "\(process.processIdentifier)",
        ]
        watcher.standardInput = input
        watcher.standardOutput = FileHandle.nullDevice
        watcher.standardError = FileHandle.nullDevice
        try watcher.run()
    }

    func end() {
        try? input.fileHandleForWriting.close()
        let limit = Date().addingTimeInterval(Self.endSecondsMax)
        while process.isRunning, Date() < limit { usleep(20_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        if watcher.isRunning { kill(watcher.processIdentifier, SIGKILL) }
    }

    /// Runs statements, each for itself, and stops at the first that fails. - Returns: the rows' lines.
    @discardableResult
    func execute(_ sql: String, rows: (URL, String)? = nil) throws -> [String] {
        var arguments = [
            "-h", "127.0.0.1", "-p", "\(port)", "-U", "postgres", "-d", "postgres", "-qtAX", "-v", "ON_ERROR_STOP=1",
        ]
        if let rows {
            arguments += ["-c", "\\copy \(rows.1) FROM '\(rows.0.path)'"]
            return try Self.run(bin + "/psql", arguments)
        }
        return try Self.run(bin + "/psql", arguments + ["-f", "-"], input: sql)
    }

    /// What the connections that are open now have been sent, as the kernel counts it; nil where `ss` is missing.
    func sentBytes() -> Int? {
        let lines = try? Self.run("/usr/bin/env", ["ss", "-Htin", "sport = :\(port)"])
        return lines?.flatMap { $0.split(separator: " ") }.filter { $0.hasPrefix("bytes_sent:") }
            .compactMap { Int($0.dropFirst("bytes_sent:".count)) }.reduce(0, +)
    }

    private static func asOwner(_ owner: String) -> [String] {
        guard geteuid() == 0 else { return ["/usr/bin/env"] }
        return ["/usr/bin/setpriv", "--reuid=\(owner)", "--regid=\(owner)", "--clear-groups"]
    }

    /// Whatever the system gives; it is free again when this returns.
    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw BenchError("no socket: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
            }
        }
        guard result else { throw BenchError("no port: \(String(cString: strerror(errno)))") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    @discardableResult
    private static func run(_ path: String, _ arguments: [String], input: String? = nil) throws -> [String] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        let (stdin, output, failure) = (Pipe(), Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = output
        process.standardError = failure
        // The folder of whoever has started the benchmark may be closed to the servers' user.
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        try process.run()
        if let input { try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8)) }
        try stdin.fileHandleForWriting.close()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let complaint = String(decoding: failure.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchError("\(path) \(arguments.first ?? ""): \(complaint.suffix(500))")
        }
        return said.split(separator: "\n").map(String.init)
    }
}

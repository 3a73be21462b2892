internal import Foundation
internal import Synchronization

/// A peer of a measurement in a child process, spoken to in lines. It ends when its input is closed, which also happens
/// when this process goes away. One that ends by itself takes the others with it: nobody waits for what they would say.
final class PeerProcess {
    static let endingSecondsMax = 60.0
    /// Those that are to run.
    private static let running = Mutex<Set<Int32>>([])

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var buffer = Data()

    /// - Parameter arguments: of the hidden command `peer`.
    init(_ side: Peer.Side, folder: String, _ arguments: [String] = []) throws {
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["peer", side.rawValue, "--data", folder] + arguments
        process.standardInput = input
        process.standardOutput = output
        process.terminationHandler = { process in
            Self.running.withLock { running in
                guard running.remove(process.processIdentifier) != nil else { return }
                for other in running { kill(other, SIGKILL) }
            }
        }
        try Self.running.withLock { running in
            try process.run()
            running.insert(process.processIdentifier)
        }
    }

    var identifier: Int32 { process.processIdentifier }

    /// The next line that it says; blocks.
    func next<Value: Decodable>(_: Value.Type) throws -> Value {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let line = buffer[buffer.startIndex..<end]
                let value = try JSONDecoder().decode(Value.self, from: Data(line))
                buffer = Data(buffer[buffer.index(after: end)...])
                return value
            }
            let chunk = output.fileHandleForReading.availableData
            guard !chunk.isEmpty else { throw BenchError("a peer process ended early") }
            buffer.append(chunk)
        }
    }

    /// Says a line to it, and waits for its answer.
    func ask<Value: Decodable>(_ line: some Encodable, _ type: Value.Type) throws -> Value {
        try tell(line)
        return try next(type)
    }

    func tell(_ line: some Encodable) throws {
        var line = try JSONEncoder().encode(line)
        line.append(UInt8(ascii: "\n"))
        try input.fileHandleForWriting.write(contentsOf: line)
    }

    func end() {
        _ = Self.running.withLock { $0.remove(process.processIdentifier) }
        try? input.fileHandleForWriting.close()
        let limit = Date().addingTimeInterval(Self.endingSecondsMax)
        while process.isRunning, Date() < limit { usleep(5_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }
}

/// What a peer process hears and says.
enum PeerSpeech {
    static func say(_ value: some Encodable) throws {
        var line = try JSONEncoder().encode(value)
        line.append(UInt8(ascii: "\n"))
        try FileHandle.standardOutput.write(contentsOf: line)
    }

    /// The lines of standard input, read on a thread of their own; ends where the input does.
    static func lines() -> AsyncStream<String> {
        let (lines, continuation) = AsyncStream<String>.makeStream()
        Thread.detachNewThread {
            while let line = readLine() { continuation.yield(line) }
            continuation.finish()
        }
        return lines
    }
}

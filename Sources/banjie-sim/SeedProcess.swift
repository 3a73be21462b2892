import Foundation

/// A seed that runs in a process of its own: in one process several would wait for each other wherever memory is
/// allocated.
enum SeedProcess {
    enum End {
        case sound
        case violated
        /// It has not come to a result.
        case failed(String)
    }

    /// - Parameter arguments: of this same program. What it says to people goes where this process's words go.
    /// - Returns: what it has printed, and how it has ended.
    static func run(_ arguments: [String]) throws -> (output: Data, end: End) {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: own)
        process.arguments = arguments
        process.standardOutput = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        switch (process.terminationReason, process.terminationStatus) {
        case (.exit, 0): return (output, .sound)
        case (.exit, 1): return (output, .violated)
        case (.exit, let status): return (output, .failed("exit status \(status)"))
        case (_, let signal): return (output, .failed("signal \(signal)"))
        }
    }
}

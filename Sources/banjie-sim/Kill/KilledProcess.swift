import Foundation
import Glibc

/// A worker from its start to its end by SIGKILL, with all that it has said.
struct KilledProcess {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// A worker that says nothing for so long hangs.
    private static let patience = Duration.seconds(60)

    private let process: pid_t
    private let pipe: Int32
    private var text: [UInt8] = []
    private var lines = 0
    private var hasEnded = false

    /// - Parameter arguments: of this same program.
    init(_ arguments: [String]) throws {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else { throw Failure(description: "pipe: \(Self.reason)") }
        defer { close(ends[1]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        var words: [UnsafeMutablePointer<CChar>?] = (["banjie-sim"] + arguments).map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] =
            ProcessInfo.processInfo.environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for word in words + environment { free(word) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, "/proc/self/exe", &actions, nil, &words, &environment)
        guard code == 0 else {
            close(ends[0])
            throw Failure(description: "a worker cannot be started: \(String(cString: strerror(code)))")
        }
        self.process = process
        pipe = ends[0]
    }

    private static var reason: String { String(cString: strerror(errno)) }

    /// Listens until the moment, kills it, and reads to the end.
    /// - Throws: `Failure` if it has ended by itself, or hangs.
    mutating func end(at moment: KillMoment) throws -> [KillNote] {
        defer { close(pipe) }
        let clock = ContinuousClock()
        var deadline = moment.notes == 0 ? clock.now + .microseconds(moment.delay) : nil
        var heard = clock.now
        while !hasEnded {
            let end = deadline ?? heard + Self.patience
            let left = end - clock.now
            guard left > .zero else { break }
            guard try receive(within: left) else { continue }
            heard = clock.now
            if deadline == nil, lines >= moment.notes { deadline = heard + .microseconds(moment.delay) }
        }
        let hangs = deadline == nil && !hasEnded
        kill(process, SIGKILL)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        while !hasEnded { _ = try receive(within: .seconds(1)) }
        guard !hangs else { throw Failure(description: "a worker has said nothing for \(Self.patience)") }
        guard status & 0x7F == SIGKILL else {
            throw Failure(description: "a worker has ended by itself, with status \(status): see above")
        }
        return String(decoding: text, as: UTF8.self).split { $0 == "\n" }.compactMap { KillNote(line: $0) }
    }

    /// - Returns: whether something came.
    private mutating func receive(within time: Duration) throws -> Bool {
        var request = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
        let microseconds = time.components.seconds * 1_000_000 + time.components.attoseconds / 1_000_000_000_000
        // `poll` counts in milliseconds.
        if microseconds < 1_000 { usleep(UInt32(microseconds)) }
        guard poll(&request, 1, Int32(microseconds / 1_000)) > 0 else { return false }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = read(pipe, &buffer, buffer.count)
        guard count >= 0 || errno == EINTR else { throw Failure(description: "a worker's notes: \(Self.reason)") }
        guard count > 0 else {
            hasEnded = count == 0
            return false
        }
        text += buffer[..<count]
        lines += buffer[..<count].count { $0 == UInt8(ascii: "\n") }
        return true
    }
}

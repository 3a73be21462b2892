internal import Foundation
internal import Synchronization

/// Tells a person how far a long task is: a bar that redraws itself on a terminal, a line now and then otherwise,
/// nothing where the output is for a program.
///
/// Writes to standard error, so that standard output holds the result alone. May be called from any thread.
package final class ProgressReporter: Sendable {
    package enum Style: Sendable, Hashable {
        case bar
        case lines
        case silent

        /// What suits standard error as it is.
        /// - Parameter isForProgram: the output was asked for as JSON.
        package static func fitting(isForProgram: Bool) -> Style {
            if isForProgram { return .silent }
            return isatty(STDERR_FILENO) == 1 ? .bar : .lines
        }
    }

    private struct State {
        var shown: Int?
        var finished = false
    }

    /// Shortest time between two drawings of the bar, and between two lines.
    static let barMilliseconds: Int64 = 100
    static let linePercentStep = 10
    static let barCells = 28

    private let label: String
    private let style: Style
    private let write: @Sendable (String) -> Void
    private let monotonic: @Sendable () -> Int64
    private let state = Mutex(State())
    private let lastDrawn = Mutex<Int64>(0)

    /// - Parameter label: what is being done, in the reader's language.
    package init(
        _ label: String, style: Style, monotonic: @escaping @Sendable () -> Int64 = NodeClock.monotonic,
        write: @escaping @Sendable (String) -> Void = { FileHandle.standardError.write(Data($0.utf8)) }
    ) {
        self.label = label
        self.style = style
        self.monotonic = monotonic
        self.write = write
    }

    /// - Parameter total: 0 while it is not known.
    package func update(_ done: Int, of total: Int) {
        switch style {
        case .silent: return
        case .bar:
            let now = monotonic()
            let isDue = lastDrawn.withLock { last in
                guard now - last >= Self.barMilliseconds || last == 0 || done == total else { return false }
                last = now
                return true
            }
            if isDue { write("\r" + Self.bar(label, done, total) + "\u{1B}[K") }
        case .lines:
            let percent = Self.percent(done, total)
            let isDue = state.withLock { state in
                let step = percent / Self.linePercentStep
                guard step != state.shown else { return false }
                state.shown = step
                return true
            }
            if isDue { write("\(label): \(Self.amount(done, total))\n") }
        }
    }

    /// Ends the bar's line. A second call does nothing.
    package func finish() {
        let isFirst = state.withLock { state in
            defer { state.finished = true }
            return !state.finished
        }
        if isFirst, style == .bar, lastDrawn.withLock({ $0 != 0 }) { write("\n") }
    }

    static func percent(_ done: Int, _ total: Int) -> Int {
        total > 0 ? min(100, max(0, done * 100 / total)) : 0
    }

    static func amount(_ done: Int, _ total: Int) -> String {
        total > 0 ? "\(done)/\(total) (\(percent(done, total)) %)" : "\(done)"
    }

    static func bar(_ label: String, _ done: Int, _ total: Int) -> String {
        let filled = percent(done, total) * barCells / 100
        let cells = String(repeating: "█", count: filled) + String(repeating: "░", count: barCells - filled)
        return "\(label) \(cells) \(amount(done, total))"
    }
}

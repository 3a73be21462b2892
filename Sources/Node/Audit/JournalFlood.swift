internal import Store

/// Keeps what strangers can cause from filling the disk: so many entries of one action a minute, the others are counted.
///
/// Source: Protocols/audit.md §3.
struct JournalFlood: Sendable {
    static let windowMilliseconds: Int64 = 60_000

    private struct Window {
        var start: Int64
        var count = 0
        var leftOut = 0
    }

    private var windows: [JournalAction: Window] = [:]

    /// - Returns: whether the entry is written; if not, it is counted.
    mutating func admit(_ action: JournalAction, now: Int64) -> Bool {
        var window = windows[action] ?? Window(start: now)
        // What a window has left out is told by `takeDue`, which comes first.
        if Self.isOver(window.start, now), window.leftOut == 0 { window = Window(start: now) }
        guard window.count < JournalLimits.entriesPerMinuteMax else {
            window.leftOut += 1
            windows[action] = window
            return false
        }
        window.count += 1
        windows[action] = window
        return true
    }

    /// What was counted in minutes that are over.
    mutating func takeDue(now: Int64, all: Bool = false) -> [(action: JournalAction, count: Int)] {
        var due: [(JournalAction, Int)] = []
        for (action, window) in windows where all || Self.isOver(window.start, now) {
            if window.leftOut > 0 { due.append((action, window.leftOut)) }
            windows[action] = nil
        }
        return due.sorted { $0.0.rawValue < $1.0.rawValue }
    }

    /// Also after the clock was set back.
    private static func isOver(_ start: Int64, _ now: Int64) -> Bool {
        now - start >= windowMilliseconds || now < start
    }
}

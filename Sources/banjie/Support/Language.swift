import ArgumentParser
import Foundation
import Node
import Tickets

/// The language of this process, from LC_ALL, LC_MESSAGES or LANG.
let commandLanguage = Language(environment: ProcessInfo.processInfo.environment)

/// A text of a command's help in the reader's language.
func say(_ chinese: String, _ english: String) -> String {
    Phrase(chinese, english)(commandLanguage)
}

/// Help of one option or argument.
func hint(_ chinese: String, _ english: String) -> ArgumentHelp {
    ArgumentHelp(stringLiteral: say(chinese, english))
}

/// Command lines to copy, at the end of a command's help.
func examples(_ lines: String...) -> String {
    ([say("示例：", "Examples:")] + lines.map { "  " + $0 }).joined(separator: "\n")
}

/// Minutes that this machine's time zone is ahead of UTC now.
var localOffsetMinutes: Int { TimeZone.current.secondsFromGMT() / 60 }

/// An instant as it is typed: `2026-11-21T16:00`, in the machine's time zone unless it has an offset of its own.
struct TypedInstant: ExpressibleByArgument, Sendable {
    let instant: Instant

    init?(argument: String) {
        guard let instant = Instant(argument, utcOffsetMinutes: localOffsetMinutes) else { return nil }
        self.instant = instant
    }
}

/// A department and, behind `@`, its site: `NET@hz.zj`.
struct Place: ExpressibleByArgument, Sendable {
    let department: String
    /// Nil for this site.
    let site: String?

    init?(argument: String) {
        let parts = argument.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let department = parts.first, !department.isEmpty, parts.count == 1 || !parts[1].isEmpty else {
            return nil
        }
        self.department = department
        site = parts.count == 2 ? parts[1] : nil
    }
}

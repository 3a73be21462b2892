/// Bounds of the console; listed in Protocols/limits.md.
package enum ConsoleLimits {
    /// Body of a form; a longer one is answered 413.
    package static let formBytesMax = 64 * 1024
    /// Fields of one form or query; more are refused.
    package static let formFieldsMax = 64
    /// The version that a page hands back, as text.
    package static let versionBytesMax = 16 * 1024
    package static let accountNameBytesMax = 64
    package static let passwordBytesMax = 1_024

    /// Failures within the window after which neither the account nor the address may try again.
    package static let loginFailuresMax = 5
    package static let loginWindowMilliseconds: Int64 = 15 * 60_000
    /// Accounts and addresses whose failures are remembered.
    package static let loginKeysMax = 10_000

    package static let sessionIdleMilliseconds: Int64 = 30 * 60_000
    package static let sessionAbsoluteMilliseconds: Int64 = 12 * 3_600_000
    package static let sessionIdentifierBytes = 32
    package static let sessionsMax = 4_096
    package static let sessionsPerAccountMax = 16

    package static let queueRowsPerPage = 50
    package static let queuePagesMax = 200
    package static let searchCharactersMax = 100
    package static let filterBytesMax = 200
    /// Operations shown in a ticket's history and picture; the latest are.
    package static let historyRowsMax = 200
    package static let pictureMarksMax = 120
    package static let pictureLanesMax = 16
    package static let parkedRowsMax = 100
    package static let peersMax = 100
    /// Longest period of a table of measures.
    package static let periodDaysMax: Int64 = 366
    /// Tickets behind one cell of such a table.
    package static let drillRowsMax = 200
    /// Rows that are looked at to find them.
    package static let drillScanMax = 50_000

    /// Best score that a customer can give.
    package static let scoreMax = 5

    /// Minutes that the office's time is ahead of UTC.
    package static let utcOffsetMinutes: Int64 = 480
}

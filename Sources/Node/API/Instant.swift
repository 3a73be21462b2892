/// A UTC instant of the years 1 to 9999; in JSON an ISO-8601 text with milliseconds, `2026-11-21T08:15:00.000Z`, that
/// loses nothing.
package struct Instant: Sendable, Hashable, Comparable, Codable {
    package let milliseconds: Int64

    /// Of what lies outside those years, as an operation may say, the first or the last instant of them.
    package init(_ milliseconds: Int64) {
        self.milliseconds = CivilTime.clamped(milliseconds)
    }

    /// Nil for 0, which rows hold where nothing has happened yet.
    package init?(nonzero milliseconds: Int64) {
        guard milliseconds != 0 else { return nil }
        self.init(milliseconds)
    }

    /// Accepts `YYYY-MM-DDTHH:MM[:SS[.mmm]]` with `Z` or an offset `±HH:MM`, a blank instead of `T`, and a mere day.
    /// - Parameter utcOffsetMinutes: for a text without an offset of its own.
    package init?(_ text: String, utcOffsetMinutes: Int = 0) {
        guard let value = CivilTime.parse(text, utcOffsetMinutes: utcOffsetMinutes) else { return nil }
        self.init(value)
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Instant(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "an instant like 2026-11-21T08:15:00.000Z, not \(text)")
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    package var text: String {
        let time = CivilTime(milliseconds: milliseconds)
        return "\(time.day)T\(time.clock).\(CivilTime.padded(time.millisecond, 3))Z"
    }

    package static func < (left: Instant, right: Instant) -> Bool { left.milliseconds < right.milliseconds }
}

/// Day and time of day of the proleptic Gregorian calendar (Hinnant's civil-from-days), without a calendar's cost. Years
/// from 1 to 9999: what lies outside is the first or the last instant of them.
package struct CivilTime: Sendable, Hashable {
    package static let dayMilliseconds: Int64 = 86_400_000
    /// 0001-01-01T00:00:00.000 and 9999-12-31T23:59:59.999.
    private static let range: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999

    static func clamped(_ milliseconds: Int64) -> Int64 {
        min(max(milliseconds, range.lowerBound), range.upperBound)
    }

    package var year: Int
    package var month: Int
    package var dayOfMonth: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    package var millisecond: Int

    package init(milliseconds: Int64, utcOffsetMinutes: Int = 0) {
        let local = Self.clamped(Self.clamped(milliseconds) + Int64(utcOffsetMinutes) * 60_000)
        let days = Self.day(of: local)
        var rest = Int(local - days * Self.dayMilliseconds)
        millisecond = rest % 1_000
        rest /= 1_000
        second = rest % 60
        minute = rest / 60 % 60
        hour = rest / 3_600
        let shifted = Int(days) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        dayOfMonth = dayOfYear - (153 * monthIndex + 2) / 5 + 1
        month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// `20261121T081500`: for names of files, which sort by it.
    package var stamp: String { day.filter { $0 != "-" } + "T" + clock.filter { $0 != ":" } }

    /// Days since 1970-01-01, rounded down.
    package static func day(of milliseconds: Int64) -> Int64 {
        let quotient = milliseconds / dayMilliseconds
        return milliseconds % dayMilliseconds < 0 ? quotient - 1 : quotient
    }

    /// `2026-11-21`
    package var day: String { "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(dayOfMonth, 2))" }
    /// `08:15:00`
    package var clock: String { "\(Self.padded(hour, 2)):\(Self.padded(minute, 2)):\(Self.padded(second, 2))" }
    /// `2026-11-21 08:15`
    package var short: String { "\(day) \(Self.padded(hour, 2)):\(Self.padded(minute, 2))" }

    static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Days since 1970-01-01 of a written day; nil if there is no such day.
    package static func day(_ text: some StringProtocol) -> Int64? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.map(\.count) == [4, 2, 2], let year = Int(parts[0]), let month = Int(parts[1]),
            let day = Int(parts[2]), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = Int64(era * 146_097 + dayOfEra - 719_468)
        let back = CivilTime(milliseconds: days * dayMilliseconds)
        return back.month == month && back.dayOfMonth == day ? days : nil
    }

    static func parse(_ text: String, utcOffsetMinutes: Int) -> Int64? {
        let halves = text.split(separator: text.contains("T") ? "T" : " ", maxSplits: 1)
        guard let first = halves.first, let days = day(first) else { return nil }
        var offset = utcOffsetMinutes
        var time: Int64 = 0
        if halves.count == 2 {
            var rest = halves[1]
            if rest.hasSuffix("Z") {
                rest = rest.dropLast()
                offset = 0
            } else if let sign = rest.lastIndex(where: { $0 == "+" || $0 == "-" }) {
                guard let minutes = clockMilliseconds(rest[rest.index(after: sign)...]) else { return nil }
                offset = Int(minutes / 60_000) * (rest[sign] == "-" ? -1 : 1)
                rest = rest[..<sign]
            }
            guard let value = clockMilliseconds(rest) else { return nil }
            time = value
        }
        return days * dayMilliseconds + time - Int64(offset) * 60_000
    }

    private static func clockMilliseconds(_ text: Substring) -> Int64? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard (2...3).contains(parts.count), parts[0].count == 2, parts[1].count == 2, let hour = Int64(parts[0]),
            let minute = Int64(parts[1]), (0...23).contains(hour), (0...59).contains(minute)
        else { return nil }
        var milliseconds = (hour * 60 + minute) * 60_000
        if parts.count == 3 {
            let second = parts[2].split(separator: ".", omittingEmptySubsequences: false)
            guard (1...2).contains(second.count), second[0].count == 2, let whole = Int64(second[0]),
                (0...59).contains(whole)
            else { return nil }
            milliseconds += whole * 1_000
            if second.count == 2 {
                guard (1...3).contains(second[1].count), let fraction = Int64(second[1]) else { return nil }
                milliseconds += fraction * (second[1].count == 1 ? 100 : second[1].count == 2 ? 10 : 1)
            }
        }
        return milliseconds
    }
}

internal import ServiceLevels
internal import Tickets

/// A bar: how full, in which colour, and what it says. Drawn as SVG, since pages carry no inline style.
struct Bar: Equatable {
    /// 0 to 100, the width that is filled.
    var percent: Int
    /// `ok`, `warn`, `over`, `late` or `none`: a class of the style sheet.
    var level: String
    var text: String
}

extension ConsoleWords {
    /// `2026-11-21 08:15` in the office's time; a dash for nothing.
    func time(_ milliseconds: Int64?) -> String {
        guard let milliseconds, milliseconds != 0 else { return "—" }
        return CivilTime(milliseconds: milliseconds, utcOffsetMinutes: Int(ConsoleLimits.utcOffsetMinutes)).short
    }

    /// As `time`, without the year where it is that of `reference`.
    func compactTime(_ milliseconds: Int64?, near reference: Int64) -> String {
        let own = time(milliseconds)
        return own.count > 5 && own.prefix(4) == time(reference).prefix(4) ? String(own.dropFirst(5)) : own
    }

    /// `08:15`, or with the day where it is another than that of `reference`.
    func shortTime(_ milliseconds: Int64, near reference: Int64) -> String {
        let own = time(milliseconds)
        return own.prefix(10) == time(reference).prefix(10) ? String(own.dropFirst(11)) : String(own.dropFirst(5))
    }

    /// The two largest units of a duration.
    func duration(_ milliseconds: Int64) -> String {
        let seconds = Int64(milliseconds.magnitude / 1_000)
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60)
        let parts: [(Int64, String)] =
            if days > 0 {
                [(days, "unit_day"), (hours, "unit_hour")]
            } else if hours > 0 {
                [(hours, "unit_hour"), (minutes, "unit_minute")]
            } else if minutes > 0 {
                [(minutes, "unit_minute")]
            } else {
                [(seconds, "unit_second")]
            }
        let written = parts.enumerated().filter { $0.offset == 0 || $0.element.0 > 0 }
        let gap = language == .english ? " " : ""
        return written.map { filled($0.element.1, String($0.element.0)) }.joined(separator: gap)
    }

    /// How much of its limit something has used.
    func bar(_ verdict: StepVerdict, now: Int64) -> Bar {
        let limit = max(1, verdict.limitMilliseconds)
        let percent = Int(min(100, max(0, verdict.elapsedMilliseconds * 100 / limit)))
        let level =
            switch verdict.state {
            case .met, .running: "ok"
            case .warning: "warn"
            case .late, .overdue: "over"
            case .uncertain, .contested: "none"
            }
        return Bar(percent: verdict.isBreach ? 100 : percent, level: level, text: remaining(verdict, now: now))
    }

    /// What is left of a running limit, or how far it is exceeded; the verdict's name for what has ended.
    func remaining(_ verdict: StepVerdict, now: Int64) -> String {
        guard verdict.state.isRunning, let due = verdict.due else { return self.verdict(verdict.state) }
        return due >= now
            ? filled("time_left", duration(due - now)) : filled("time_over", duration(now - due))
    }

    func bytes(_ count: UInt64) -> String {
        if count < 1_024 { return "\(count) B" }
        if count < 1_024 * 1_024 { return "\(count / 1_024) KiB" }
        return "\(count / 1_024 / 1_024) MiB"
    }

    /// `97.5 %`, from parts; a dash where there is nothing to divide by.
    func rate(_ part: Int, of whole: Int) -> String {
        guard whole > 0 else { return "—" }
        let tenths = (part * 1_000 + whole / 2) / whole
        return "\(tenths / 10).\(tenths % 10) %"
    }
}

/// Telephone numbers as they are shown: the middle of each run of seven digits or more is hidden.
enum Masking {
    static func mask(_ text: String) -> String {
        var result = ""
        var run = ""
        func end() {
            if run.count >= 7 {
                result += run.prefix(3) + String(repeating: "*", count: run.count - 7 + 0 + (run.count == 7 ? 1 : 0))
                result += run.suffix(run.count == 7 ? 3 : 4)
            } else {
                result += run
            }
            run = ""
        }
        for character in text {
            if character.isASCII, character.isNumber {
                run.append(character)
            } else {
                end()
                result.append(character)
            }
        }
        end()
        return result
    }

    static let maskedFields: Set<Field> = [.contact, .customerLabel]
}

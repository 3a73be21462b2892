package import Tickets

/// For whom something is written out: language and time zone. Everything in this folder is a function of values and
/// this.
package struct Presentation: Sendable, Hashable {
    package var language: Language
    package var utcOffsetMinutes: Int

    package init(language: Language, utcOffsetMinutes: Int) {
        self.language = language
        self.utcOffsetMinutes = utcOffsetMinutes
    }

    func time(_ instant: Instant) -> String {
        CivilTime(milliseconds: instant.milliseconds, utcOffsetMinutes: utcOffsetMinutes).short
    }

    func time(_ instant: Instant?) -> String { instant.map { time($0) } ?? "–" }

    func exactTime(_ instant: Instant) -> String {
        let time = CivilTime(milliseconds: instant.milliseconds, utcOffsetMinutes: utcOffsetMinutes)
        return "\(time.day) \(time.clock)"
    }

    /// `1 h 15 min`, `3 d 2 h`, `45 s`.
    func duration(_ milliseconds: Int64) -> String {
        let seconds = Int64(milliseconds.magnitude / 1_000)
        let sign = milliseconds < 0 ? "-" : ""
        let (day, hour, minute) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60)
        let units: (String, String, String, String) =
            switch language {
            case .chinese: ("天", "小时", "分", "秒")
            case .english: (" d", " h", " min", " s")
            }
        let gap = language == .chinese ? "" : " "
        if day > 0 { return sign + "\(day)\(units.0)" + (hour > 0 ? "\(gap)\(hour)\(units.1)" : "") }
        if hour > 0 { return sign + "\(hour)\(units.1)" + (minute > 0 ? "\(gap)\(minute)\(units.2)" : "") }
        return minute > 0 ? sign + "\(minute)\(units.2)" : sign + "\(seconds)\(units.3)"
    }

    func percent(_ share: Double?) -> String {
        guard let share else { return "–" }
        let tenths = Int((share * 1_000).rounded())
        return "\(tenths / 10).\(tenths % 10) %"
    }

    func phrase(_ phrase: Phrase) -> String { phrase(language) }

    /// `label: value`, with the colon of the language.
    func pair(_ label: Phrase, _ value: some CustomStringConvertible) -> String {
        switch language {
        case .chinese: "\(label.chinese)：\(value)"
        case .english: "\(label.english): \(value)"
        }
    }
}

/// Text in cells of a terminal, where a Han character takes two.
enum TextLayout {
    static func width(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { $0 + cells($1) }
    }

    private static func cells(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0x0300...0x036F, 0x200B...0x200F, 0xFE00...0xFE0F: 0
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
            0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE4F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF,
            0x20000...0x3FFFD:
            2
        default: 1
        }
    }

    static func padded(_ text: String, to width: Int, isRight: Bool = false) -> String {
        let blanks = String(repeating: " ", count: max(0, width - self.width(text)))
        return isRight ? blanks + text : text + blanks
    }

    /// The text in at most so many cells, with `…` for what is cut off; line breaks become blanks.
    static func clipped(_ text: String, to width: Int) -> String {
        let flat = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        guard self.width(flat) > width else { return flat }
        var result = ""
        var used = 1
        for character in flat {
            let next = self.width(String(character))
            if used + next > width { break }
            result.append(character)
            used += next
        }
        return result + "…"
    }

    /// `███████░░░` for a share of 0–1; more than the whole ends in `▶`.
    static func bar(_ share: Double, cells: Int) -> String {
        let filled = max(0, min(cells, Int((share * Double(cells)).rounded(.down))))
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: cells - filled)
        return share > 1 ? String(bar.dropLast()) + "▶" : bar
    }

    /// Without control characters but line breaks: what came from elsewhere does not move the cursor.
    static func plain(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.filter { $0 == "\n" || $0.properties.generalCategory != .control }))
    }
}

/// Columns that are as wide as their widest cell.
struct TextTable {
    struct Column {
        var title: String
        var isRight = false
        /// Wider cells are clipped.
        var widthMax = 60

        init(_ title: String, isRight: Bool = false, widthMax: Int = 60) {
            self.title = title
            self.isRight = isRight
            self.widthMax = widthMax
        }
    }

    let columns: [Column]
    private var rows: [[String]] = []

    init(_ columns: [Column]) {
        self.columns = columns
    }

    mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "a cell for every column")
        rows.append(zip(cells, columns).map { TextLayout.clipped(TextLayout.plain($0), to: $1.widthMax) })
    }

    var lines: [String] {
        let widths = columns.indices.map { index in
            ([columns[index].title] + rows.map { $0[index] }).map(TextLayout.width).max() ?? 0
        }
        func line(_ cells: [String]) -> String {
            cells.indices.map { TextLayout.padded(cells[$0], to: widths[$0], isRight: columns[$0].isRight) }
                .joined(separator: "  ").trimmingSuffix { $0 == " " }
        }
        let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
        return [line(columns.map(\.title)), rule] + rows.map(line)
    }
}

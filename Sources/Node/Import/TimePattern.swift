/// A format of times in a file, compiled from letters as in Unicode TR 35, as far as logs need them.
///
///     yyyy yy   year of four or two digits (70–99: 19yy, 00–69: 20yy)
///     MM M MMM  month as two digits, one or two, English abbreviation
///     dd d      day        HH H   hour 0–23      hh h   hour 1–12, with `a` for AM and PM
///     mm m      minute     ss s   second         S SSS  fraction of a second, 1–9 digits
///     XXX       Z, +08:00 or +0800               ~      any one of - / .
///
/// Everything else stands for itself; letters in single quotes do too.
///
/// Source: Protocols/import.md §3.
package struct TimePattern: Hashable, Sendable {
    private enum Element: Hashable, Sendable {
        case number(Unit, digitsMin: Int, digitsMax: Int)
        case monthName
        case meridiem
        case offset
        case anySeparator
        case literal(UInt8)
    }

    private enum Unit: Hashable, Sendable {
        case year, shortYear, month, day, hour, halfDayHour, minute, second, fraction
    }

    let text: String
    private let elements: [Element]

    /// - Throws: what the pattern lacks, as a sentence's end.
    package init(_ text: String) throws(Problem) {
        self.text = text
        elements = try Self.compile(Array(text.utf8))
        let units = Set(elements.compactMap { if case .number(let unit, _, _) = $0 { unit } else { nil } })
        guard units.contains(.year) || units.contains(.shortYear), units.contains(.day),
            units.contains(.month) || elements.contains(.monthName)
        else { throw Problem(text: "year, month and day in the time pattern \"\(text)\"") }
        guard units.contains(.halfDayHour) == elements.contains(.meridiem) else {
            throw Problem(text: "h and a together, or H, in the time pattern \"\(text)\"")
        }
    }

    package struct Problem: Error {
        var text: String
    }

    private static func compile(_ bytes: [UInt8]) throws(Problem) -> [Element] {
        var result: [Element] = []
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "'") {
                guard let end = bytes[(index + 1)...].firstIndex(of: byte) else {
                    throw Problem(text: "a closing ' in the time pattern")
                }
                // Two quotes in a row stand for one.
                if end == index + 1 { result.append(.literal(byte)) }
                result += bytes[(index + 1)..<end].map(Element.literal)
                index = end + 1
                continue
            }
            let count = bytes[index...].prefix { $0 == byte }.count
            let isLetter = (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
            if isLetter {
                let letters = String(decoding: bytes[index..<(index + count)], as: UTF8.self)
                guard let element = element(letters) else {
                    throw Problem(
                        text: "a time pattern of yyyy yy MM M MMM dd d HH H hh h mm m ss s SSS a XXX, not \(letters); "
                            + "letters that stand for themselves go in single quotes")
                }
                result.append(element)
                index += count
            } else {
                result.append(byte == UInt8(ascii: "~") ? .anySeparator : .literal(byte))
                index += 1
            }
        }
        return result
    }

    private static func element(_ letters: String) -> Element? {
        switch letters {
        case "yyyy": .number(.year, digitsMin: 4, digitsMax: 4)
        case "yy": .number(.shortYear, digitsMin: 2, digitsMax: 2)
        case "MM": .number(.month, digitsMin: 2, digitsMax: 2)
        case "M": .number(.month, digitsMin: 1, digitsMax: 2)
        case "MMM": .monthName
        case "dd": .number(.day, digitsMin: 2, digitsMax: 2)
        case "d": .number(.day, digitsMin: 1, digitsMax: 2)
        case "HH": .number(.hour, digitsMin: 2, digitsMax: 2)
        case "H": .number(.hour, digitsMin: 1, digitsMax: 2)
        case "hh": .number(.halfDayHour, digitsMin: 2, digitsMax: 2)
        case "h": .number(.halfDayHour, digitsMin: 1, digitsMax: 2)
        case "mm": .number(.minute, digitsMin: 2, digitsMax: 2)
        case "m": .number(.minute, digitsMin: 1, digitsMax: 2)
        case "ss": .number(.second, digitsMin: 2, digitsMax: 2)
        case "s": .number(.second, digitsMin: 1, digitsMax: 2)
        case "S", "SS", "SSS", "SSSSSS": .number(.fraction, digitsMin: 1, digitsMax: 9)
        case "a": .meridiem
        case "XXX": .offset
        default: nil
        }
    }

    /// - Parameter offsetMinutes: what local time is ahead of UTC where the text itself does not say.
    /// - Returns: UTC milliseconds; nil if the text is not of this pattern or names no real instant.
    package func milliseconds(_ text: String, offsetMinutes: Int) -> Int64? {
        var text = text
        return text.withUTF8 { bytes in
            var reading = Reading(bytes: bytes, offsetMinutes: offsetMinutes)
            for element in elements {
                guard read(element, &reading) else { return nil }
            }
            return reading.index == bytes.count ? reading.instant() : nil
        }
    }

    private func read(_ element: Element, _ reading: inout Reading) -> Bool {
        switch element {
        case .number(let unit, let digitsMin, let digitsMax):
            guard let (value, digits) = reading.number(digitsMin, digitsMax) else { return false }
            set(unit, value, digits, &reading)
            return true
        case .monthName: return reading.monthName()
        case .meridiem: return reading.meridiem()
        case .offset: return reading.offset()
        case .anySeparator:
            return reading.take { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: ".") }
        case .literal(let byte): return reading.take { $0 == byte }
        }
    }

    private func set(_ unit: Unit, _ value: Int, _ digits: Int, _ reading: inout Reading) {
        switch unit {
        case .year: reading.year = value
        case .shortYear: reading.year = value < 70 ? 2_000 + value : 1_900 + value
        case .month: reading.month = value
        case .day: reading.day = value
        case .hour: reading.hour = value
        case .halfDayHour: reading.hour = (1...12).contains(value) ? value % 12 : 99
        case .minute: reading.minute = value
        case .second: reading.second = value
        case .fraction:
            var scaled = value
            for _ in digits..<max(digits, 3) { scaled *= 10 }
            for _ in 3..<max(digits, 3) { scaled /= 10 }
            reading.millisecond = scaled
        }
    }

    /// What has been read of a text.
    private struct Reading {
        let bytes: UnsafeBufferPointer<UInt8>
        var offsetMinutes: Int
        var index = 0
        var year = 0
        var month = 0
        var day = 0
        var hour = 0
        var isAfternoon = false
        var minute = 0
        var second = 0
        var millisecond = 0

        init(bytes: UnsafeBufferPointer<UInt8>, offsetMinutes: Int) {
            self.bytes = bytes
            self.offsetMinutes = offsetMinutes
        }

        mutating func take(_ isExpected: (UInt8) -> Bool) -> Bool {
            guard index < bytes.count, isExpected(bytes[index]) else { return false }
            index += 1
            return true
        }

        mutating func number(_ digitsMin: Int, _ digitsMax: Int) -> (value: Int, digits: Int)? {
            let start = index
            var value = 0
            while index < bytes.count, index - start < digitsMax, (48...57).contains(bytes[index]) {
                value = value * 10 + Int(bytes[index] - 48)
                index += 1
            }
            return index - start >= digitsMin ? (value, index - start) : nil
        }

        mutating func monthName() -> Bool {
            guard index + 3 <= bytes.count else { return false }
            let name = String(decoding: bytes[index..<(index + 3)].map { $0 | 0x20 }, as: UTF8.self)
            let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
            guard let position = names.firstIndex(of: name) else { return false }
            month = position + 1
            index += 3
            return true
        }

        mutating func meridiem() -> Bool {
            guard index + 2 <= bytes.count, bytes[index + 1] | 0x20 == UInt8(ascii: "m") else { return false }
            switch bytes[index] | 0x20 {
            case UInt8(ascii: "a"): isAfternoon = false
            case UInt8(ascii: "p"): isAfternoon = true
            default: return false
            }
            index += 2
            return true
        }

        mutating func offset() -> Bool {
            if take({ $0 == UInt8(ascii: "Z") }) {
                offsetMinutes = 0
                return true
            }
            guard index < bytes.count else { return false }
            let isWest = bytes[index] == UInt8(ascii: "-")
            guard take({ $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") }), let (hours, _) = number(2, 2) else {
                return false
            }
            _ = take { $0 == UInt8(ascii: ":") }
            guard let (minutes, _) = number(2, 2), hours <= 18, minutes < 60 else { return false }
            offsetMinutes = (hours * 60 + minutes) * (isWest ? -1 : 1)
            return true
        }

        /// Nil for a day, hour or minute that does not exist, and for what lies before 1970.
        func instant() -> Int64? {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            guard (1...12).contains(month), (1...lengths[month - 1]).contains(day), hour < 24, minute < 60, second < 60
            else { return nil }
            let hours = isAfternoon ? hour + 12 : hour
            let days = Self.daysSince1970(year, month, day)
            let minutes = (days * 24 + hours) * 60 + minute - offsetMinutes
            let milliseconds = Int64(minutes * 60 + second) * 1_000 + Int64(millisecond)
            return milliseconds >= 0 ? milliseconds : nil
        }

        /// Days of the proleptic Gregorian calendar; years begin in March so that the leap day comes last.
        private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
            let shifted = month > 2 ? year : year - 1
            let era = shifted / 400
            let yearOfEra = shifted - era * 400
            let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
            return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        }
    }
}

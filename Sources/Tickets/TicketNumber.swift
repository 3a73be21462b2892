package import Replication

/// The number that is read out over the telephone: `XIHU-261121-7KQ2-F`. Site, day, a suffix from the dot and a check
/// character. It is a label and not an identity: looking one up gives a list.
package enum TicketNumber {
    /// Base 32 without 0/O and 1/I, which sound or look alike.
    static let alphabet = Array("23456789ABCDEFGHJKLMNPQRSTUVWXYZ")
    static let suffixCount = 4

    /// - Parameter openedAt: UTC milliseconds.
    /// - Parameter utcOffsetMinutes: the site's time zone, for the day.
    package static func label(dot: Dot, site: SiteCode, openedAt: Int64, utcOffsetMinutes: Int = 480) -> String {
        let name = site.rawValue.prefix { $0 != "." }.uppercased()
        var rest = mix(dot)
        var suffix = ""
        for _ in 0..<suffixCount {
            suffix.append(alphabet[Int(rest & 31)])
            rest >>= 5
        }
        let body = "\(name)-\(day(openedAt + Int64(utcOffsetMinutes) * 60_000))-\(suffix)"
        return "\(body)-\(checkCharacter(of: body))"
    }

    /// Whether a number in its written form has the right check character.
    package static func isValid(_ number: String) -> Bool {
        guard let dash = number.lastIndex(of: "-"), number[number.index(after: dash)...].count == 1 else {
            return false
        }
        return number.last == checkCharacter(of: String(number[..<dash]))
    }

    /// Brings what somebody typed or heard into the written form: any case, with or without dashes and blanks.
    /// - Returns: nil if it cannot be a number or its check character is wrong.
    package static func parse(_ text: String) -> String? {
        let compact = text.uppercased().filter { !$0.isWhitespace && $0 != "-" }
        let characters = Array(compact)
        let tail = 6 + suffixCount + 1
        guard characters.count > tail, characters.allSatisfy(\.isASCII) else { return nil }
        let split = characters.count - tail
        // A site's name may itself have dashes: they are put back by trying the text as it came.
        let written = text.uppercased().filter { !$0.isWhitespace }
        if isValid(written) { return written }
        let number =
            String(characters[..<split]) + "-" + String(characters[split..<split + 6]) + "-"
            + String(characters[(split + 6)..<(split + 6 + suffixCount)]) + "-"
            + String(characters[characters.count - 1])
        return isValid(number) ? number : nil
    }

    /// Values of the characters modulo 31; those that share a value (A and 9, 0 and B …) do not look alike.
    private static let values = Array("ABCDEFGHJKLMNPQRSTUVWXYZ2345678901OI")

    /// A weighted sum modulo the prime 31: finds a wrong character and a swap of neighbours.
    static func checkCharacter(of body: String) -> Character {
        var sum = 0
        for (position, character) in body.filter({ $0 != "-" }).enumerated() {
            let value = values.firstIndex(of: character) ?? 0
            sum = (sum + (position % 30 + 1) * value) % 31
        }
        return alphabet[sum]
    }

    /// Spreads neighbouring dots, so that numbers of one day differ in more than the last character.
    private static func mix(_ dot: Dot) -> UInt64 {
        var mixed = dot.replica.rawValue ^ (dot.sequence &* 0x9E37_79B9_7F4A_7C15)
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// `yymmdd` of days since 1970 (Hinnant's civil-from-days), without a calendar's cost.
    private static func day(_ milliseconds: Int64) -> String {
        let days = Int(milliseconds.quotientAndRemainder(dividingBy: 86_400_000).quotient) + 719_468
        let era = days / 146_097
        let dayOfEra = days - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return [year % 100, month, day].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined()
    }
}

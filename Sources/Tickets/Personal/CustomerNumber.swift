/// A telephone number in the form by which customers are told apart (E.164): `+` and digits.
///
/// Source: Protocols/personal-data.md §1.
package struct CustomerNumber: Hashable, Sendable, CustomStringConvertible {
    /// Of a number that is given without one.
    package static let homeCountryCode = "86"
    /// Longest number, by E.164.
    package static let digitsMax = 15
    /// Shortest that is a number with its country code.
    package static let digitsMin = 8

    /// With the leading `+`.
    package let e164: String

    /// - Parameter text: as somebody wrote it: blanks, dashes, dots and parentheses are passed over. A mobile number of
    ///   eleven digits and a number with its area code (0 and 9 to 11 digits more) are of the home country; others begin
    ///   with `+` or `00`.
    /// - Returns: nil for what is no whole number, as one with its middle hidden.
    package init?(_ text: String) {
        var digits = ""
        var isInternational = false
        for character in text.unicodeScalars {
            switch character {
            case "0"..."9": digits.unicodeScalars.append(character)
            case "+" where digits.isEmpty && !isInternational: isInternational = true
            case " ", "-", ".", "(", ")", "\u{A0}", "（", "）": continue
            default: return nil
            }
        }
        if !isInternational, digits.hasPrefix("00") {
            isInternational = true
            digits.removeFirst(2)
        }
        if !isInternational {
            let isMobile = digits.utf8.count == 11 && digits.hasPrefix("1")
            let hasAreaCode = digits.hasPrefix("0") && (10...12).contains(digits.utf8.count)
            let hasCountryCode = digits.utf8.count == 13 && digits.hasPrefix(Self.homeCountryCode + "1")
            guard isMobile || hasAreaCode || hasCountryCode else { return nil }
            if hasAreaCode { digits.removeFirst() }
            if !hasCountryCode { digits = Self.homeCountryCode + digits }
        }
        guard (Self.digitsMin...Self.digitsMax).contains(digits.utf8.count), !digits.hasPrefix("0") else { return nil }
        e164 = "+" + digits
    }

    package var description: String { e164 }
}

internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// Names and values of a submitted form or of a query, bounded and cleaned of control characters.
package struct FormFields: Sendable, Equatable {
    private var values: [String: String] = [:]

    init() {}

    /// Reads `application/x-www-form-urlencoded`. Of a repeated name the first value counts.
    /// - Returns: nil if there are more than `ConsoleLimits.formFieldsMax` fields.
    package init?(urlEncoded text: some StringProtocol) {
        let pairs = text.utf8.split(separator: UInt8(ascii: "&"), maxSplits: ConsoleLimits.formFieldsMax)
        guard pairs.count <= ConsoleLimits.formFieldsMax else { return nil }
        for pair in pairs {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = Self.decode(parts[0])
            guard values[name] == nil else { continue }
            values[name] = parts.count == 2 ? Self.decode(parts[1]) : ""
        }
    }

    /// Empty for a name that is not there.
    subscript(name: String) -> String {
        get { values[name] ?? "" }
        set { values[name] = newValue }
    }

    func contains(_ name: String) -> Bool { values[name] != nil }

    /// The value without blanks at its ends, nil if nothing is left.
    func text(_ name: String) -> String? {
        let value = self[name]
        guard let first = value.firstIndex(where: { !$0.isWhitespace }),
            let last = value.lastIndex(where: { !$0.isWhitespace })
        else { return nil }
        return String(value[first...last])
    }

    private static func decode(_ bytes: some Sequence<UInt8>) -> String {
        var result: [UInt8] = []
        var pending: [UInt8] = []
        for byte in bytes {
            if !pending.isEmpty {
                pending.append(byte)
                guard pending.count == 3 else { continue }
                if let high = digit(pending[1]), let low = digit(pending[2]) {
                    result.append(high << 4 | low)
                } else {
                    result += pending
                }
                pending.removeAll()
            } else if byte == UInt8(ascii: "%") {
                pending.append(byte)
            } else {
                result.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        result += pending
        return clean(String(decoding: result, as: UTF8.self))
    }

    /// Line ends become one character, other control characters and directional overrides go.
    private static func clean(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        var afterReturn = false
        for scalar in text.unicodeScalars {
            defer { afterReturn = scalar == "\r" }
            switch scalar.value {
            case 0x0A where afterReturn: continue
            case 0x0D: scalars.append("\n")
            case 0x09, 0x0A: scalars.append(scalar)
            case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: continue
            default: scalars.append(scalar)
            }
        }
        return String(scalars)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The form of a request.
    /// - Throws: `ConsoleFailure` for another type, a body above the bound, or too many fields.
    init(of request: Request) async throws {
        let type = request.headers[.contentType] ?? ""
        guard type.lowercased().hasPrefix("application/x-www-form-urlencoded") else {
            throw ConsoleFailure.unsupportedForm
        }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > ConsoleLimits.formBytesMax {
            throw ConsoleFailure.formTooLarge
        }
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: ConsoleLimits.formBytesMax)
        } catch is NIOTooManyBytesError {
            throw ConsoleFailure.formTooLarge
        }
        guard let fields = FormFields(urlEncoded: String(buffer: buffer)) else { throw ConsoleFailure.formTooLarge }
        self = fields
    }

    /// The query of a request; one with too many fields counts as empty.
    init(queryOf request: Request) {
        self = request.uri.query.flatMap { FormFields(urlEncoded: $0) } ?? FormFields()
    }

    /// A query that leads to the same page, with some values replaced; an empty value is left out.
    static func query(_ pairs: [(String, String)]) -> String {
        pairs.filter { !$0.1.isEmpty }.map { "\($0.0)=\(encode($0.1))" }.joined(separator: "&")
    }

    static func encode(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}

/// What a request's cookies say.
enum RequestCookies {
    static func value(_ name: String, in request: Request) -> String? {
        for header in request.headers[values: .cookie] {
            for part in header.split(separator: ";") {
                let pair = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                if pair.count == 2, pair[0] == name { return String(pair[1]) }
            }
        }
        return nil
    }
}

internal import Tickets

/// How text becomes tokens: one for every Han character, one for every word of other scripts.
///
/// SQLite's own word tokenizer does the rest: it is handed the text with blanks around each Han character, so that a
/// run of characters is a phrase of single tokens, and 「派」 is found in 「工单派」 as well as 「工单派」 itself.
package enum SearchText {
    /// Characters of a search expression that are looked at.
    static let queryCharactersMax = 200

    package static func spaced(_ text: String) -> String {
        var bytes: [UInt8] = []
        space(text, into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the text with a blank before and after each Han character. Works on the bytes: this runs over every
    /// character that anybody writes.
    static func space(_ text: String, into bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { utf8 in
            bytes.reserveCapacity(bytes.count + utf8.count * 5 / 3 + 2)
            var index = 0
            while index < utf8.count {
                let lead = utf8[index]
                // A string's bytes are whole: the lead byte tells how many follow.
                let length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
                guard length >= 3, index + length <= utf8.count else {
                    for offset in index..<min(index + length, utf8.count) { bytes.append(utf8[offset]) }
                    index += length
                    continue
                }
                var code = UInt32(lead & (length == 3 ? 0x0F : 0x07))
                for offset in 1..<length { code = code << 6 | UInt32(utf8[index + offset] & 0x3F) }
                let isApart = isHan(code)
                if isApart { bytes.append(0x20) }
                for offset in index..<index + length { bytes.append(utf8[offset]) }
                if isApart { bytes.append(0x20) }
                index += length
            }
        }
    }

    /// An FTS5 expression: every blank-separated part of the input is a phrase, and all of them must occur.
    /// - Returns: nil if there is nothing to look for.
    package static func query(_ text: String) -> String? {
        let phrases = text.prefix(queryCharactersMax).split(whereSeparator: \.isWhitespace).compactMap {
            part -> String? in
            let words = spaced(String(part)).split { !($0.isLetter || $0.isNumber) }
            return words.isEmpty ? nil : "\"" + words.joined(separator: " ") + "\""
        }
        return phrases.isEmpty ? nil : phrases.joined(separator: " AND ")
    }

    private static func isHan(_ code: UInt32) -> Bool {
        switch code {
        case 0x2E80...0x2FDF, 0x3005...0x3007, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x323AF:
            true
        default: false
        }
    }

    /// The words of an operation that can be searched for; nil where there are none.
    static func text(of body: Body) -> String? {
        let parts: [String]
        switch body {
        case .open(let open): parts = [open.title, open.body, open.number, open.customerLabel]
        case .setField(let set): parts = [set.value.text ?? ""]
        case .transfer(let transfer): parts = [transfer.reason, transfer.note]
        case .reply(let reply): parts = [reply.text]
        case .feedback(let feedback): parts = [feedback.text]
        case .close(let close): parts = [close.reason]
        case .reopen(let reopen): parts = [reopen.reason]
        case .chase(let chase): parts = [chase.note]
        case .answerChase(let answer): parts = [answer.text]
        case .note(let note): parts = [note.text]
        case .settle(let settle): parts = [settle.reason]
        case .joinTwins(let join): parts = [join.reason]
        case .separateTwins(let separate): parts = [separate.reason]
        case .tag(let tag): parts = [tag.tag]
        case .delivered, .accept, .acknowledgeChase, .untag, .watch, .announce, .catalogDocument: return nil
        }
        let text = parts.filter { !$0.isEmpty }.joined(separator: "\n")
        return text.isEmpty ? nil : text
    }
}

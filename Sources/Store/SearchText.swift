internal import Tickets

/// How text becomes tokens: one for every Han character, one for every word of other scripts.
///
/// SQLite's own word tokenizer does the rest: it is handed the text with blanks around each Han character, so that a
/// run of characters is a phrase of single tokens, and 「派」 is found in 「工单派」 as well as 「工单派」 itself.
package enum SearchText {
    /// Characters of a search expression that are looked at.
    static let queryCharactersMax = 200

    package static func spaced(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if isHan(scalar) {
                result.append(" ")
                result.append(scalar)
                result.append(" ")
            } else {
                result.append(scalar)
            }
        }
        return String(result)
    }

    /// An FTS5 expression: every blank-separated part of the input is a phrase, and all of them must occur.
    /// - Returns: nil if there is nothing to look for.
    package static func query(_ text: String) -> String? {
        let phrases = text.prefix(queryCharactersMax).split(whereSeparator: \.isWhitespace).compactMap { part -> String? in
            let words = spaced(String(part)).split { !($0.isLetter || $0.isNumber) }
            return words.isEmpty ? nil : "\"" + words.joined(separator: " ") + "\""
        }
        return phrases.isEmpty ? nil : phrases.joined(separator: " AND ")
    }

    static func isHan(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
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

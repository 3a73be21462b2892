internal import Tickets

/// How text becomes tokens: one for every Han character, one for every word of other scripts.
///
/// What is no letter or number becomes a blank here, letters with a case become small, and every Han character stands
/// apart, so that SQLite's simplest tokenizer is enough: it need not look every character up, which costs a third of the
/// indexing. A run of characters is a phrase of single tokens, and 「派」 is found in 「工单派」 as well as 「工单派」 itself.
package enum SearchText {
    /// Characters of a search expression that are looked at.
    static let queryCharactersMax = 200

    package static func spaced(_ text: String) -> String {
        var bytes: [UInt8] = []
        space(text, into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A character's tokens take at most this many times its bytes: Han gets two blanks, and a few small letters are
    /// longer than their capitals.
    private static let growth = 3

    /// Appends the text's tokens and a blank. Works on the bytes: this runs over every character that anybody writes.
    static func space(_ text: String, into bytes: inout [UInt8]) {
        guard !text.isEmpty else { return }
        var text = text
        text.withUTF8 { utf8 in
            let start = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: utf8.count * growth + 1))
            let length = bytes.withUnsafeMutableBufferPointer { space(utf8, into: $0.extracting(start...)) }
            bytes.removeLast(bytes.count - start - length)
        }
    }

    /// - Parameter output: room for `growth` times the input and a blank.
    /// - Returns: how much of it was used.
    private static func space(_ utf8: UnsafeBufferPointer<UInt8>, into output: UnsafeMutableBufferPointer<UInt8>) -> Int
    {
        var (index, end) = (0, 0)
        func put(_ byte: UInt8) {
            output[end] = byte
            end += 1
        }
        while index < utf8.count {
            let lead = utf8[index]
            // A string's bytes are whole: the lead byte tells how many follow.
            let length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
            if length == 1 {
                // The tokenizer parts and folds ASCII itself.
                put(lead)
                index += 1
                continue
            }
            var code = UInt32(lead & (0x7F >> UInt8(length)))
            for offset in 1..<length { code = code << 6 | UInt32(utf8[index + offset] & 0x3F) }
            switch Form(code) {
            case .single:
                put(0x20)
                for offset in 0..<length { put(utf8[index + offset]) }
                put(0x20)
            case .separator: put(0x20)
            case .word(let scalar): for byte in scalar.properties.lowercaseMapping.utf8 { put(byte) }
            }
            index += length
        }
        put(0x20)
        return end
    }

    /// What a character beyond ASCII is to the index.
    private enum Form {
        /// A token of its own: Han, and what fonts put into the private areas for rare names.
        case single
        /// Part of a word.
        case word(Unicode.Scalar)
        case separator

        init(_ code: UInt32) {
            switch code {
            case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x2E80...0x2FDF, 0x3005...0x3007, 0xF900...0xFAFF,
                0x20000...0x323AF, 0xE000...0xF8FF, 0xF0000...0x10FFFF:
                self = .single
            // Punctuation that most texts have, without a look-up.
            case 0x2000...0x206F, 0x3000...0x3004, 0x3008...0x3020, 0xFF01...0xFF0F, 0xFF1A...0xFF20:
                self = .separator
            default:
                guard let scalar = Unicode.Scalar(code) else {
                    self = .separator
                    return
                }
                self = Self.isWord(scalar.properties.generalCategory) ? .word(scalar) : .separator
            }
        }

        private static func isWord(_ category: Unicode.GeneralCategory) -> Bool {
            switch category {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
                .letterNumber, .otherNumber, .nonspacingMark, .spacingMark, .enclosingMark:
                true
            case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
                .finalPunctuation, .otherPunctuation, .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol,
                .spaceSeparator, .lineSeparator, .paragraphSeparator, .control, .format, .surrogate, .privateUse,
                .unassigned:
                false
            @unknown default: false
            }
        }
    }

    /// An FTS5 expression: every blank-separated part of the input is a phrase, and all of them must occur.
    /// - Returns: nil if there is nothing to look for.
    package static func query(_ text: String) -> String? {
        let phrases = text.prefix(queryCharactersMax).split(whereSeparator: \.isWhitespace).compactMap {
            part -> String? in
            // What is left of ASCII beside letters and digits separates, as in the tokenizer.
            let words = spaced(String(part)).split { $0.isASCII && !($0.isLetter || $0.isNumber) }
            return words.isEmpty ? nil : "\"" + words.joined(separator: " ") + "\""
        }
        return phrases.isEmpty ? nil : phrases.joined(separator: " AND ")
    }

    /// What can be searched for in an operation.
    static func texts(of body: Body) -> [String] {
        switch body {
        // What tells who the customer is is found by nobody's search, sealed or not.
        case .open(let open): [open.title, open.body, open.number]
        case .setField(let set): [set.field.isPersonal ? "" : set.value.text ?? ""]
        case .transfer(let transfer): [transfer.reason, transfer.note]
        case .reply(let reply): [reply.text]
        case .feedback(let feedback): [feedback.text]
        case .close(let close): [close.reason]
        case .reopen(let reopen): [reopen.reason]
        case .chase(let chase): [chase.note]
        case .answerChase(let answer): [answer.text]
        case .note(let note): [note.text]
        case .settle(let settle): [settle.reason]
        case .joinTwins(let join): [join.reason]
        case .separateTwins(let separate): [separate.reason]
        case .tag(let tag): [tag.tag]
        case .delivered, .accept, .acknowledgeChase, .untag, .watch, .announce, .catalogDocument, .revoke,
            .confirmErasure, .journalAnchor, .introduceRoot, .retireRoot:
            []
        case .proposeErasure(let proposal): [proposal.reason]
        }
    }
}

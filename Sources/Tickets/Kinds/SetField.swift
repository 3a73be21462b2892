package import Replication

/// Kind 2: one value of one field. A field is a multi-value register: the write replaces what its author had seen.
package struct SetFieldBody: Hashable, Sendable {
    package enum Value: Hashable, Sendable {
        case text(String)
        case number(Int64)
        /// A personal text that only the holder of its key can read.
        case sealed(SealedValue)

        package var text: String? { if case .text(let text) = self { text } else { nil } }
        package var number: Int64? { if case .number(let number) = self { number } else { nil } }
    }

    package var field: Field
    package var value: Value
    /// The write that this one takes back, for whoever reads the history.
    package var undoes: Dot?
    package var occurrence: Occurrence?

    package init(field: Field, value: Value, undoes: Dot? = nil, occurrence: Occurrence? = nil) {
        self.field = field
        self.value = value
        self.undoes = undoes
        self.occurrence = occurrence
    }
}

extension SetFieldBody: KindBody {
    static let kind = Kind.setField

    init(_ wire: WireSetField) throws(BodyFailure) {
        guard let number = UInt16(exactly: wire.field), number > 0 else { throw .invalid(.setField, field: "field") }
        let field = Field(rawValue: number)
        self.init(
            field: field, value: try Self.value(of: field, wire),
            undoes: wire.hasUndoes ? Dot(wire.undoes) : nil,
            occurrence: wire.hasOccurred ? Occurrence(wire.occurred) : nil)
    }

    private static func value(of field: Field, _ wire: WireSetField) throws(BodyFailure) -> Value {
        guard wire.sealed.isEmpty else {
            guard let sealed = SealedValue(Array(wire.sealed)) else { throw .invalid(.setField, field: "sealed") }
            return .sealed(sealed)
        }
        return field.shape == .number ? .number(wire.number) : .text(wire.text)
    }

    var wire: WireSetField {
        var wire = WireSetField()
        wire.field = UInt32(field.rawValue)
        switch value {
        case .text(let text): wire.text = text
        case .number(let number): wire.number = number
        case .sealed(let sealed): wire.sealed.append(contentsOf: sealed.bytes)
        }
        if let undoes { wire.undoes = undoes.wire }
        if let occurrence { wire.occurred = occurrence.wire }
        return wire
    }

    func record(in draft: inout EventDraft) {
        draft.field = field.rawValue
        switch value {
        case .text(let text): draft.text = field.shape == .code ? code(text) : nil
        case .number(let number): draft.number = number
        case .sealed(let sealed): draft.sealedUnder = sealed.key
        }
    }

    func validate() throws(Refusal) {
        switch value {
        case .text(let text):
            guard field.shape != .number else { throw .wrongValue(field) }
            if field == .title, text.allSatisfy(\.isWhitespace) { throw .missing(.title) }
            try Refusal.check(text, field)
        case .number(let number):
            guard field.shape == .number else { throw .wrongValue(field) }
            if field == .urgency, Int64(Urgency.low.rawValue) < number || number < 0 { throw .wrongValue(field) }
        case .sealed: guard field.isPersonal else { throw .wrongValue(field) }
        }
    }
}

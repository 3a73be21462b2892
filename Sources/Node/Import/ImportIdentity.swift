internal import Replication
internal import Transport

/// Names tickets and rows of an event log so that whoever holds the province's key names them alike, and nobody else
/// can tell from a name what it stands for.
///
/// Source: Protocols/import.md §4.
struct ImportIdentity: Sendable {
    let key: [UInt8]
    let source: String

    /// Keys of what one row may become, one for each part that can be written apart.
    struct RowKeys: Hashable, Sendable {
        /// The opening and its fields.
        var opening: UInt64
        /// What moves custody and status: written by the office that opens the ticket.
        var course: UInt64
        /// What else the row says: written by the office whose row it is.
        var event: UInt64
    }

    func ticket(_ ticketKey: String) -> EntityID {
        let code = hmacSHA256(key: key, message: message(1, [source, ticketKey]))
        return EntityID(type: .ticket, high: integer(code, 0), low: integer(code, 8))
    }

    /// - Parameter content: the row's fields as `column`, `value`, … by ascending column, without those ignored.
    /// - Parameter ordinal: from 0 among the file's rows of equal content.
    func row(_ ticketKey: String, content: [String], ordinal: Int) -> RowKeys {
        let code = hmacSHA256(key: key, message: message(2, [source, ticketKey] + content, ordinal: UInt64(ordinal)))
        return RowKeys(opening: nonzero(code, 0), course: nonzero(code, 8), event: nonzero(code, 16))
    }

    private func message(_ domain: UInt8, _ texts: [String], ordinal: UInt64 = 0) -> [UInt8] {
        var writer = ByteWriter(reserving: 256)
        writer.byte(domain)
        writer.integer(ordinal)
        for text in texts {
            writer.integer(UInt32(text.utf8.count))
            writer.raw(text.utf8)
        }
        return writer.bytes
    }

    private func integer(_ code: [UInt8], _ offset: Int) -> UInt64 {
        code[offset..<(offset + 8)].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// 0 says that an operation has no row.
    private func nonzero(_ code: [UInt8], _ offset: Int) -> UInt64 {
        max(1, integer(code, offset))
    }
}

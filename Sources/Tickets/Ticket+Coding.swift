package import Replication

/// The state as bytes. Equal states give equal bytes; the order of arrival leaves no trace.
///
///     version · replicas (id, count and sequences of its operations) · texts · authors · sites
///     events in the order of their dots: mask · author · kind · time · what the mask names · seen
///
/// A dot that is in the ticket is written as the how-manieth of its replica's operations here, others in full.
/// Source: Protocols/tickets.md §3.
extension Ticket {
    static let stateVersion: UInt8 = 1

    /// Which optional parts of an event follow.
    private enum Part {
        static let previousIsOther: UInt64 = 1 << 0
        static let opaque: UInt64 = 1 << 1
        static let critical: UInt64 = 1 << 2
        static let imported: UInt64 = 1 << 3
        static let first: UInt64 = 1 << 4
        static let text: UInt64 = 1 << 5
        static let variant: UInt64 = 1 << 6
        static let site: UInt64 = 1 << 7
        static let department: UInt64 = 1 << 8
        static let field: UInt64 = 1 << 9
        static let number: UInt64 = 1 << 10
        static let entity: UInt64 = 1 << 11
        static let row: UInt64 = 1 << 12
        static let second: UInt64 = 1 << 13
        static let secondNumber: UInt64 = 1 << 14
        static let fields: UInt64 = 1 << 15
        static let void: UInt64 = 1 << 16
        static let all: UInt64 = 1 << 17 - 1
    }

    package func encoded() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: encodedBytesMax) { buffer, count in
            var writer = StateWriter(buffer)
            write(into: &writer)
            count = writer.count
        }
    }

    /// The same bytes in memory that is used again and again; they are valid while `body` runs.
    package func withEncoded<Result>(
        using scratch: inout [UInt8], _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        let needed = encodedBytesMax
        if scratch.count < needed { scratch = [UInt8](repeating: 0, count: needed * 2) }
        return try scratch.withUnsafeMutableBufferPointer { buffer in
            var writer = StateWriter(buffer)
            write(into: &writer)
            return try body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<writer.count]))
        }
    }

    /// No state takes more: every number at its longest.
    private var encodedBytesMax: Int {
        let numbers =
            8 + replicas.count * 2 + texts.count + authors.count * 5 + siteTexts.count + events.count * 24
            + seenEntries.count * 3
        let wide = (replicas.count + events.count * 5) * 8
        return numbers * StateWriter.varintBytesMax + wide + texts.reduce(0) { $0 + $1.text.utf8.count }
    }

    private func write(into writer: inout StateWriter) {
        writer.byte(Self.stateVersion)
        var firsts: [Int] = []
        firsts.reserveCapacity(replicas.count + 1)
        writer.varint(replicas.count)
        var index = 0
        for replica in replicas.indices {
            writer.integer(replicas[replica].rawValue)
            firsts.append(index)
            let start = index
            while index < events.count, events[index].replica == UInt32(replica) { index += 1 }
            writer.varint(index - start)
            var last: UInt64 = 0
            for event in events[start..<index] {
                writer.varint(event.sequence - last)
                last = event.sequence
            }
        }
        firsts.append(index)
        writer.varint(texts.count)
        for label in texts { writer.text(label.text) }
        writer.varint(authors.count)
        for author in authors {
            writer.varint(UInt64(author.name))
            writer.varint(UInt64(author.site))
            writer.varint(UInt64(author.department))
            writer.varint(UInt64(author.catalogVersion))
            writer.byte(author.role)
            writer.byte(author.level)
        }
        writer.varint(siteTexts.count)
        for site in siteTexts { writer.varint(UInt64(site)) }
        var lastTime: UInt64 = 0
        for index in events.indices { write(index, firsts: firsts, lastTime: &lastTime, into: &writer) }
    }

    private func write(_ index: Int, firsts: [Int], lastTime: inout UInt64, into writer: inout StateWriter) {
        let event = events[index]
        let detail = detail(of: event)
        let expected = index > firsts[Int(event.replica)] ? events[index - 1].sequence : 0
        let mask = Self.mask(of: event, detail) | (event.previous == expected ? 0 : Part.previousIsOther)
        writer.varint(mask)
        writer.varint(UInt64(event.author))
        writer.varint(UInt64(event.kind))
        writer.signedVarint(Int64(event.time >> 16) - Int64(lastTime >> 16))
        writer.varint(event.time & 0xFFFF)
        lastTime = event.time
        if mask & Part.previousIsOther != 0 { writer.varint(event.previous) }
        if mask & Part.imported != 0 { writer.varint(UInt64(bitPattern: detail.occurred)) }
        if mask & Part.first != 0 { write(event.first, firsts, into: &writer) }
        if mask & Part.text != 0 { writer.varint(UInt64(event.text)) }
        if mask & Part.variant != 0 { writer.byte(event.variant) }
        if mask & Part.site != 0 { writer.varint(UInt64(event.site)) }
        if mask & Part.department != 0 { writer.varint(UInt64(event.department)) }
        if mask & Part.field != 0 { writer.varint(UInt64(event.field)) }
        if mask & Part.number != 0 { writer.signedVarint(detail.number) }
        if mask & Part.entity != 0 {
            writer.byte(detail.entityType)
            writer.integer(detail.entityHigh)
            writer.integer(detail.entityLow)
        }
        if mask & Part.row != 0 { writer.integer(detail.row) }
        if mask & Part.second != 0 { write(detail.second, firsts, into: &writer) }
        if mask & Part.secondNumber != 0 { writer.signedVarint(detail.secondNumber) }
        if mask & Part.fields != 0 { writer.varint(detail.fields) }
        let range = seenRange(index)
        writer.varint(range.count)
        for entry in seenEntries[range] { write(entry, firsts, into: &writer) }
    }

    private static func mask(of event: Event, _ detail: EventDetail) -> UInt64 {
        var mask: UInt64 = 0
        if event.isOpaque { mask |= Part.opaque }
        if event.isCritical { mask |= Part.critical }
        if event.isImported { mask |= Part.imported }
        if event.first.sequence != 0 { mask |= Part.first }
        if event.text != 0 { mask |= Part.text }
        if event.variant != 0 { mask |= Part.variant }
        if event.site != 0 { mask |= Part.site }
        if event.department != 0 { mask |= Part.department }
        if event.field != 0 { mask |= Part.field }
        if detail.number != 0 { mask |= Part.number }
        if detail.entityType != 0 { mask |= Part.entity }
        if detail.row != 0 { mask |= Part.row }
        if detail.second.sequence != 0 { mask |= Part.second }
        if detail.secondNumber != 0 { mask |= Part.secondNumber }
        if detail.fields != 0 { mask |= Part.fields }
        if event.isVoid { mask |= Part.void }
        return mask
    }

    /// The replica's index, then its how-manieth operation here, or 0 and the sequence.
    private func write(_ reference: Reference, _ firsts: [Int], into writer: inout StateWriter) {
        writer.varint(UInt64(reference.replica))
        let start = firsts[Int(reference.replica)]
        let end = firsts[Int(reference.replica) + 1]
        for index in start..<end where events[index].sequence == reference.sequence {
            writer.varint(index - start + 1)
            return
        }
        writer.varint(0 as UInt64)
        writer.varint(reference.sequence)
    }

    package init(decoding bytes: [UInt8], id: EntityID) throws(DecodingFailure) {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(DecodingFailure) in try Ticket(decoding: buffer, id: id) }
        }
        self = try result.get()
    }

    /// Any bytes are either refused or give a state whose every index is valid.
    package init(decoding buffer: UnsafeRawBufferPointer, id: EntityID) throws(DecodingFailure) {
        self.init(id: id)
        var reader = StateReader(buffer)
        guard reader.byte() == Self.stateVersion else { throw .invalid(field: "state version") }
        let firsts = try readReplicas(&reader)
        try readTables(&reader)
        var lastTime: Int64 = 0
        for index in events.indices { try readEvent(index, firsts, &lastTime, &reader) }
        try reader.check("state")
        try reader.finish()
    }

    private mutating func readReplicas(_ reader: inout StateReader) throws(DecodingFailure) -> [Int] {
        let count = reader.count()
        var firsts: [Int] = []
        firsts.reserveCapacity(count + 1)
        replicas.reserveCapacity(count)
        for replica in 0..<count {
            let id = ReplicaID(reader.integer())
            if let last = replicas.last, id <= last { throw .invalid(field: "replicas") }
            try reader.check("replicas")
            replicas.append(id)
            firsts.append(events.count)
            let own = reader.count()
            events.reserveCapacity(events.count + own)
            var last: UInt64 = 0
            for _ in 0..<own {
                let (sequence, overflows) = last.addingReportingOverflow(reader.varint())
                guard !overflows, sequence > last else { throw .invalid(field: "sequence") }
                events.append(
                    Event(replica: UInt32(replica), sequence: sequence, previous: last, time: 0))
                last = sequence
            }
        }
        firsts.append(events.count)
        return firsts
    }

    private mutating func readTables(_ reader: inout StateReader) throws(DecodingFailure) {
        let textCount = reader.count()
        texts.reserveCapacity(textCount)
        for _ in 0..<textCount {
            let label = Label(text: reader.text())
            if let last = texts.last, !(last < label) { throw .invalid(field: "texts") }
            texts.append(label)
        }
        let authorCount = reader.count()
        authors.reserveCapacity(authorCount)
        for _ in 0..<authorCount {
            let name = reader.index(below: textCount)
            let site = reader.index(below: textCount)
            let department = reader.index(below: textCount)
            guard let catalog = UInt32(exactly: reader.varint()) else { throw .invalid(field: "catalog version") }
            let entry = AuthorEntry(
                name: name, site: site, department: department, catalogVersion: catalog, role: reader.byte(),
                level: reader.byte())
            guard Role(rawValue: entry.role) != nil, AuthorityLevel(rawValue: entry.level) != nil else {
                throw .invalid(field: "role or level")
            }
            if let last = authors.last, !(last < entry) { throw .invalid(field: "authors") }
            authors.append(entry)
        }
        try reader.check("texts or authors")
        let siteCount = reader.count()
        siteTexts.reserveCapacity(siteCount)
        for _ in 0..<siteCount {
            let site = reader.index(below: textCount)
            if let last = siteTexts.last, site <= last { throw .invalid(field: "sites") }
            siteTexts.append(site)
        }
    }

    private mutating func readEvent(
        _ index: Int, _ firsts: [Int], _ lastTime: inout Int64, _ reader: inout StateReader
    ) throws(DecodingFailure) {
        var event = events[index]
        var detail = EventDetail()
        let mask = reader.varint()
        guard mask <= Part.all else { throw .invalid(field: "event") }
        event.author = reader.index(below: authors.count)
        guard let kind = UInt16(exactly: reader.varint()) else { throw .invalid(field: "kind") }
        event.kind = kind
        let (milliseconds, overflows) = lastTime.addingReportingOverflow(reader.signedVarint())
        let counter = reader.varint()
        guard !overflows, (0..<1 << 48).contains(milliseconds), counter <= 0xFFFF else { throw .invalid(field: "time") }
        event.time = UInt64(milliseconds) << 16 | counter
        lastTime = milliseconds
        event.isOpaque = mask & Part.opaque != 0
        event.isCritical = mask & Part.critical != 0
        event.isImported = mask & Part.imported != 0
        event.isVoid = mask & Part.void != 0
        if mask & Part.previousIsOther != 0 { event.previous = reader.varint() }
        if event.isImported {
            let occurred = reader.varint()
            guard occurred < 1 << 48 else { throw .invalid(field: "occurred") }
            detail.occurred = Int64(occurred)
        }
        if mask & Part.first != 0 { event.first = reference(&reader, firsts) }
        if mask & Part.text != 0 { event.text = reader.index(below: texts.count + 1) }
        if mask & Part.variant != 0 { event.variant = reader.byte() }
        if mask & Part.site != 0 { event.site = reader.index(below: texts.count + 1) }
        if mask & Part.department != 0 { event.department = reader.index(below: texts.count + 1) }
        if mask & Part.field != 0 {
            guard let field = UInt16(exactly: reader.varint()) else { throw .invalid(field: "field") }
            event.field = field
        }
        if mask & Part.number != 0 { detail.number = reader.signedVarint() }
        if mask & Part.entity != 0 {
            detail.entityType = reader.byte()
            guard EntityType(rawValue: detail.entityType) != nil else { throw .invalid(field: "entity") }
            detail.entityHigh = reader.integer()
            detail.entityLow = reader.integer()
        }
        if mask & Part.row != 0 { detail.row = reader.integer() }
        if mask & Part.second != 0 { detail.second = reference(&reader, firsts) }
        if mask & Part.secondNumber != 0 { detail.secondNumber = reader.signedVarint() }
        if mask & Part.fields != 0 { detail.fields = reader.varint() }
        let seenCount = reader.count()
        for _ in 0..<seenCount {
            let entry = reference(&reader, firsts)
            guard entry.sequence > 0 else { throw .invalid(field: "seen") }
            seenEntries.append(entry)
        }
        try reader.check("event")
        event.seenEnd = UInt32(seenEntries.count)
        if detail != .none {
            details.append(detail)
            event.detail = UInt32(details.count)
        }
        events[index] = event
    }

    private func reference(_ reader: inout StateReader, _ firsts: [Int]) -> Reference {
        let replica = reader.index(below: replicas.count)
        guard !reader.isDamaged else { return .none }
        let start = firsts[Int(replica)]
        let rank = reader.index(below: firsts[Int(replica) + 1] - start + 1)
        let sequence = rank == 0 ? reader.varint() : events[start + Int(rank) - 1].sequence
        // A reference to nothing is not written; read as one it would be another state with the same meaning.
        return reader.isDamaged || sequence == 0 ? .none : Reference(replica: replica, sequence: sequence)
    }
}

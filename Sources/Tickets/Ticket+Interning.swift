internal import Replication

/// The envelope's part of an event.
struct EventHeader {
    var dot: Dot
    var previous: UInt64
    var seen: [Dot]
    var time: HybridTimestamp
    var author: Author
    var scope: [SiteCode]
    var kind: UInt16
    var isCritical: Bool
    var isVoid: Bool
}

// Inserting keeps every table sorted. A new entry in the middle of a table moves the indices above it, which costs a
// pass over the events; it happens once for each replica, author and text of a ticket.
extension Ticket {
    mutating func insert(_ header: EventHeader, _ draft: EventDraft) {
        prepareTables(header, draft)
        var event = Event(
            replica: replicaIndex(header.dot.replica), sequence: header.dot.sequence, previous: header.previous,
            time: header.time.rawValue)
        var detail = EventDetail()
        event.author = authorIndex(header.author)
        event.kind = header.kind
        event.isCritical = header.isCritical
        event.isVoid = header.isVoid
        event.isOpaque = draft.isOpaque
        event.field = draft.field
        event.variant = draft.variant
        detail.fields = draft.fields
        if let occurred = draft.occurred {
            event.isImported = true
            detail.occurred = occurred
        }
        detail.row = draft.row
        if let dot = draft.first { event.first = Reference(replica: replicaIndex(dot.replica), sequence: dot.sequence) }
        if let dot = draft.second {
            detail.second = Reference(replica: replicaIndex(dot.replica), sequence: dot.sequence)
        }
        detail.number = draft.number ?? 0
        detail.secondNumber = draft.secondNumber ?? 0
        if let text = draft.text { event.text = textIndex(text) + 1 }
        if let site = draft.site { event.site = textIndex(site.rawValue) + 1 }
        if let department = draft.department, !department.isEmpty { event.department = textIndex(department) + 1 }
        if let entity = draft.entity {
            detail.entityType = entity.type.rawValue
            detail.entityHigh = entity.high
            detail.entityLow = entity.low
        }
        place(event, detail, seen: header.seen)
        for site in header.scope { letIn(site.rawValue) }
        letInText(authors[Int(event.author)].site)
        if event.known == .transfer, let site = draft.site { letIn(site.rawValue) }
    }

    private mutating func place(_ event: Event, _ detail: EventDetail, seen: [Dot]) {
        let index = insertionIndex(of: Reference(replica: event.replica, sequence: event.sequence))
        let start = index == 0 ? 0 : Int(events[index - 1].seenEnd)
        Self.makeRoom(in: &seenEntries, for: seen.count)
        Self.makeRoom(in: &events, for: 1)
        if start == seenEntries.count {
            for dot in seen { seenEntries.append(reference(dot)) }
        } else {
            seenEntries.insert(contentsOf: seen.map(reference), at: start)
        }
        var placed = event
        placed.seenEnd = UInt32(start + seen.count)
        let hasDetail = detail != .none
        if hasDetail {
            let place = events[..<index].last { $0.detail != 0 }?.detail ?? 0
            Self.makeRoom(in: &details, for: 1)
            details.insert(detail, at: Int(place))
            placed.detail = place + 1
        }
        events.insert(placed, at: index)
        for later in events.indices[(index + 1)...] {
            events[later].seenEnd += UInt32(seen.count)
            if hasDetail, events[later].detail != 0 { events[later].detail += 1 }
        }
    }

    private func reference(_ dot: Dot) -> Reference {
        Reference(replica: replicaIndex(dot.replica), sequence: dot.sequence)
    }

    /// Grows by a quarter and not by doubling: thousands of tickets are held at once, and most of their memory is this.
    private static func makeRoom<Element>(in array: inout [Element], for count: Int) {
        guard array.count + count > array.capacity else { return }
        array.reserveCapacity(array.count + count + max(3, array.count / 4))
    }

    /// After this every name that the event needs is in its table, so that indices taken from now on stay valid.
    private mutating func prepareTables(_ header: EventHeader, _ draft: EventDraft) {
        internReplica(header.dot.replica)
        for dot in header.seen { internReplica(dot.replica) }
        if let dot = draft.first { internReplica(dot.replica) }
        if let dot = draft.second { internReplica(dot.replica) }
        let knownAuthor = knownIndex(of: header.author)
        if knownAuthor == nil {
            internText(header.author.name)
            internText(header.author.site.rawValue)
            internText(header.author.department)
        }
        for site in header.scope { internText(site.rawValue) }
        if let text = draft.text { internText(text) }
        if let site = draft.site { internText(site.rawValue) }
        if let department = draft.department, !department.isEmpty { internText(department) }
        if knownAuthor == nil { internAuthor(header.author) }
    }

    private mutating func internReplica(_ replica: ReplicaID) {
        let index = replicas.firstIndex { $0 >= replica } ?? replicas.endIndex
        if index < replicas.endIndex, replicas[index] == replica { return }
        replicas.insert(replica, at: index)
        guard index < replicas.count - 1 else { return }
        let moved = UInt32(index)
        for event in events.indices {
            if events[event].replica >= moved { events[event].replica += 1 }
            if events[event].first.sequence != 0, events[event].first.replica >= moved {
                events[event].first.replica += 1
            }
        }
        for detail in details.indices where details[detail].second.sequence != 0 {
            if details[detail].second.replica >= moved { details[detail].second.replica += 1 }
        }
        for entry in seenEntries.indices where seenEntries[entry].replica >= moved { seenEntries[entry].replica += 1 }
    }

    private mutating func internText(_ text: String) {
        let index = lowerBound(text)
        if index < texts.endIndex, Label.isSame(texts[index].text, text) { return }
        texts.insert(Label(text: text), at: index)
        guard index < texts.count - 1 else { return }
        let moved = UInt32(index)
        for author in authors.indices {
            if authors[author].name >= moved { authors[author].name += 1 }
            if authors[author].site >= moved { authors[author].site += 1 }
            if authors[author].department >= moved { authors[author].department += 1 }
        }
        for site in siteTexts.indices where siteTexts[site] >= moved { siteTexts[site] += 1 }
        for event in events.indices {
            if events[event].text > moved { events[event].text += 1 }
            if events[event].site > moved { events[event].site += 1 }
            if events[event].department > moved { events[event].department += 1 }
        }
    }

    private mutating func internAuthor(_ author: Author) {
        let entry = entry(of: author)
        let index = authors.firstIndex { $0 > entry } ?? authors.endIndex
        authors.insert(entry, at: index)
        guard index < authors.count - 1 else { return }
        for event in events.indices where events[event].author >= UInt32(index) { events[event].author += 1 }
    }

    mutating func letIn(_ site: String) {
        internText(site)
        letInText(textIndex(site))
    }

    private mutating func letInText(_ text: UInt32) {
        let index = siteTexts.firstIndex { $0 >= text } ?? siteTexts.endIndex
        if index < siteTexts.endIndex, siteTexts[index] == text { return }
        siteTexts.insert(text, at: index)
    }

    private func entry(of author: Author) -> AuthorEntry {
        AuthorEntry(
            name: textIndex(author.name), site: textIndex(author.site.rawValue),
            department: textIndex(author.department), catalogVersion: author.catalogVersion,
            role: author.role.rawValue, level: author.level.rawValue)
    }

    private func authorIndex(_ author: Author) -> UInt32 {
        guard let index = knownIndex(of: author) else { preconditionFailure("authors are interned before use") }
        return UInt32(index)
    }

    /// A ticket has few authors: comparing them is less work than looking up three texts.
    private func knownIndex(of author: Author) -> Int? {
        authors.firstIndex { entry in
            entry.role == author.role.rawValue && entry.level == author.level.rawValue
                && entry.catalogVersion == author.catalogVersion
                && Label.isSame(texts[Int(entry.name)].text, author.name)
                && Label.isSame(texts[Int(entry.site)].text, author.site.rawValue)
                && Label.isSame(texts[Int(entry.department)].text, author.department)
        }
    }

    private func replicaIndex(_ replica: ReplicaID) -> UInt32 {
        guard let index = replicas.firstIndex(of: replica) else {
            preconditionFailure("replicas are interned before use")
        }
        return UInt32(index)
    }

    private func textIndex(_ text: String) -> UInt32 { UInt32(lowerBound(text)) }

    private func lowerBound(_ text: String) -> Int {
        var low = 0
        var high = texts.count
        while low < high {
            let middle = (low + high) / 2
            if Label.order(texts[middle].text, text) < 0 { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func author(at index: UInt32) -> Author {
        let entry = authors[Int(index)]
        return Author(
            name: texts[Int(entry.name)].text, role: Role(rawValue: entry.role) ?? .system,
            level: AuthorityLevel(rawValue: entry.level) ?? .branch,
            site: SiteCode(validated: texts[Int(entry.site)].text), department: texts[Int(entry.department)].text,
            catalogVersion: entry.catalogVersion)
    }

    /// An event with its names written out; the sites it let in are merged apart.
    func expanded(_ index: Int) -> (EventHeader, EventDraft) {
        let event = events[index]
        let detail = detail(of: event)
        let header = EventHeader(
            dot: dot(at: index), previous: event.previous, seen: seenEntries[seenRange(index)].compactMap(dot),
            time: HybridTimestamp(rawValue: event.time), author: author(at: event.author), scope: [],
            kind: event.kind, isCritical: event.isCritical, isVoid: event.isVoid)
        var draft = EventDraft()
        draft.isOpaque = event.isOpaque
        draft.field = event.field
        draft.variant = event.variant
        draft.fields = detail.fields
        draft.first = dot(event.first)
        draft.second = dot(detail.second)
        draft.number = detail.number
        draft.secondNumber = detail.secondNumber
        draft.text = text(event.text)
        draft.site = site(event.site)
        draft.department = text(event.department)
        draft.entity = detail.entity
        draft.occurred = event.isImported ? detail.occurred : nil
        draft.row = detail.row
        return (header, draft)
    }
}

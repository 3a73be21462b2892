package import Replication
internal import ServiceLevels
package import Store
package import Tickets

extension TicketDetail {
    /// Everything that can be said of a ticket at an instant.
    /// - Parameter now: UTC milliseconds.
    /// - Parameter brief: another ticket's line, for twins.
    package init(_ record: TicketRecord, catalog: Catalog, now: Int64, brief: (EntityID) -> TicketBrief) {
        let summary = record.ticket.summary(bounceLimit: catalog.bounceLimit)
        let levels = ticketStatus(summary, catalog, now: now)
        id = "\(summary.id)"
        number = record.number
        version = record.ticket.version.texts
        digest = "\(record.digest)"
        self.now = Instant(now)
        status = summary.status.apiName
        isPending = summary.isPending
        isFrozen = summary.isFrozenForEditing
        freezingDamage = record.freezingDamage.map { "\($0)" }
        fields = summary.fields.map { FieldEntry($0, in: record) }
        title = fields.first { $0.field == Field.title.apiName }?.values.first?.value ?? ""
        opening = summary.opening.map(Opening.init)
        custody = summary.custody.map(CustodyEntry.init)
        path = summary.path.map(CustodyEntry.init)
        lockedToArbiter = summary.lockedToArbiter?.rawValue
        bounceCount = summary.bounceCount
        onwardTransferCount = summary.onwardTransferCount
        returnCount = summary.returnCount
        reopenedCount = summary.reopenedCount
        cycles = summary.cycles.map {
            Cycle(start: Instant($0.start), fedBack: $0.fedBack.map(Instant.init), closed: $0.closed.map(Instant.init))
        }
        verdict = summary.isPending ? nil : levels.worst?.apiName
        nextDeadline = levels.nextDeadline.map(Instant.init)
        limits = levels.verdicts.map(Limit.init)
        clocks = Clocks(levels.clocks)
        contested = summary.contested.map(Contest.init)
        chases = summary.chases.map { Chase($0, in: record) }
        tags = summary.tags
        watchers = summary.watchers.map { Watcher(name: $0.name, site: $0.site?.rawValue) }
        twins = summary.twins.map(brief)
        operationCount = summary.operationCount
        opaqueCount = summary.opaqueCount
        duplicateCount = summary.duplicateCount
        lastChange = Instant(nonzero: summary.lastChange)
        timeline = record.operations.map { HistoryEntry($0, in: record) }.sorted {
            ($0.at, $0.arrival) < ($1.at, $1.arrival)
        }
    }
}

extension TicketBrief {
    package init(_ record: TicketRecord) {
        let summary = record.ticket.summary()
        let title = summary.displayedWrite(.title).flatMap { record.value(of: .title, written: $0) } ?? ""
        self.init(
            id: "\(summary.id)", number: record.number, title: title, status: summary.status.apiName,
            holderSite: summary.custody?.site.rawValue ?? "", holderDepartment: summary.custody?.department ?? "")
    }

    /// A ticket that is named here and has not arrived.
    package init(unknown id: EntityID) {
        self.init(id: "\(id)", number: "", title: "", status: "", holderSite: "", holderDepartment: "")
    }
}

extension TicketRecord {
    /// A field's value as text, from the operation that wrote it.
    func value(of field: Field, written dot: Dot) -> String? {
        guard let operation = operation(dot), let body = body(of: operation) else { return nil }
        return body.value(of: field)?.text(for: field)
    }
}

extension TicketDetail.FieldEntry {
    init(_ state: TicketSummary.FieldState, in record: TicketRecord) {
        let values = state.writes.compactMap { dot -> TicketDetail.FieldValue? in
            guard let operation = record.operation(dot), let body = record.body(of: operation),
                let value = body.value(of: state.field)
            else { return nil }
            return TicketDetail.FieldValue(
                write: "\(dot)", value: value.text(for: state.field),
                at: Instant(body.occurrence?.milliseconds ?? operation.time.milliseconds),
                author: operation.author.name, site: operation.author.site.rawValue,
                isDisplayed: dot == state.displayed,
                withheld: value.sealed.map { record.withheld($0).rawValue })
        }
        self.init(
            field: state.field.apiName, isConflict: state.writes.count > 1,
            values: values.sorted {
                ($0.isDisplayed ? 0 : 1, $0.at, $0.write) < ($1.isDisplayed ? 0 : 1, $1.at, $1.write)
            })
    }
}

extension TicketDetail.Opening {
    init(_ opening: TicketSummary.Opening) {
        self.init(
            dot: "\(opening.dot)", at: Instant(opening.at), firstContact: Instant(opening.firstContact),
            site: opening.site.rawValue, department: opening.department, author: opening.author,
            isImported: opening.isImported)
    }
}

extension TicketDetail.CustodyEntry {
    init(_ custody: Custody) {
        self.init(
            id: "\(custody.id)", cycle: custody.cycle, variant: custody.variant?.apiName, site: custody.site.rawValue,
            department: custody.department, since: Instant(custody.since),
            delivered: custody.delivered.map(Instant.init), accepted: custody.accepted.map(Instant.init),
            person: custody.person, replied: custody.replied.map(Instant.init), left: custody.left.map(Instant.init),
            isContested: custody.isContested)
    }
}

extension TicketDetail.Limit {
    init(_ verdict: StepVerdict) {
        self.init(
            subject: verdict.subject.apiName, cycle: verdict.cycle, site: verdict.site.rawValue,
            department: verdict.department, started: Instant(verdict.started), due: verdict.due.map(Instant.init),
            ended: verdict.ended.map(Instant.init), state: verdict.state.apiName,
            elapsedMilliseconds: verdict.elapsedMilliseconds, limitMilliseconds: verdict.limitMilliseconds)
    }
}

extension TicketDetail.Clocks {
    init(_ clocks: TicketClocks) {
        self.init(
            departments: clocks.departments.map {
                Department(site: $0.site.rawValue, department: $0.department, milliseconds: $0.milliseconds)
            },
            linkMilliseconds: clocks.link, customerMilliseconds: clocks.customer, ticketMilliseconds: clocks.ticket)
    }
}

extension TicketDetail.Contest {
    init(_ contest: ContestedTransfer) {
        self.init(
            custody: "\(contest.parent)",
            candidates: contest.candidates.map {
                Candidate(
                    transfer: "\($0.dot)", site: $0.site.rawValue, department: $0.department, author: $0.author,
                    authorSite: $0.authorSite.rawValue, at: Instant($0.at), isAccepted: $0.isAccepted,
                    isWinner: $0.dot == contest.winner)
            },
            isSettled: contest.isSettled, settledAt: contest.settledAt.map(Instant.init),
            arbiter: contest.arbiter?.rawValue)
    }
}

extension TicketDetail.Chase {
    init(_ chase: ChaseState, in record: TicketRecord) {
        let notes = chase.records.compactMap { dot -> String? in
            guard let operation = record.operation(dot), case .chase(let body)? = record.body(of: operation),
                !body.note.isEmpty
            else { return nil }
            return body.note
        }
        self.init(
            dot: "\(chase.dot)", at: Instant(chase.at), author: chase.author, site: chase.site.rawValue,
            promised: chase.promised.map(Instant.init), notes: notes, isDelivered: chase.isDelivered,
            isAcknowledged: chase.isAcknowledged, isAnswered: chase.isAnswered)
    }
}

extension TicketListEntry {
    init(_ listing: TicketListing, levels: ServiceLevelStatus?) {
        self.init(
            id: "\(listing.id)", number: listing.number, title: listing.title, status: listing.status.apiName,
            opened: Instant(nonzero: listing.opened), openedSite: listing.openedSite,
            acceptingDepartment: listing.acceptingDepartment, holderSite: listing.holderSite,
            holderDepartment: listing.holderDepartment, holderSince: Instant(nonzero: listing.holderSince),
            category: listing.category, urgency: listing.urgency.apiName, conflicts: listing.conflicts,
            contested: listing.contested, unansweredChases: listing.unansweredChases,
            undeliveredTransfers: listing.undeliveredTransfers, verdict: levels?.worst?.apiName,
            nextDeadline: levels?.nextDeadline.map(Instant.init))
    }
}

internal import Replication

// Transfers, acceptance, replies and settlements: what depends on who holds the ticket.
extension Decision {
    /// The custody that is current now, which has to be the one its author was looking at.
    private func currentCustody() throws(Refusal) -> Custody {
        guard let custody = summary.custody else { throw .noSuchTicket }
        guard command.version.contains(custody.id) else {
            throw .custodyMoved(site: custody.site, department: custody.department)
        }
        return custody
    }

    /// A member of the holding department.
    private func holds(_ custody: Custody) -> Bool {
        author.site == custody.site && (custody.department.isEmpty || author.department == custody.department)
    }

    /// Dispatchers and supervisors may move a ticket for a department of their own site or of a site below it.
    private func disposes(of custody: Custody) -> Bool {
        if holds(custody) { return true }
        switch author.role {
        case .dispatcher, .supervisor, .admin: return custody.site.isWithin(author.site)
        case .system, .agent, .assessor, .auditor: return false
        }
    }

    mutating func transfer(
        _ variant: TransferBody.Variant, site: SiteCode, department: String, reason: String, note: String
    ) throws(Refusal) {
        try requireOpen()
        let custody = try currentCustody()
        if let arbiter = summary.lockedToArbiter {
            guard arbiter.isWithin(author.site) else { throw .locked(arbiter: arbiter) }
        } else {
            guard disposes(of: custody) else {
                throw .notHolder(site: custody.site, department: custody.department)
            }
        }
        guard site != custody.site || department != custody.department else { throw .transferToSelf }
        try add(
            .transfer(
                TransferBody(
                    custody: custody.id, variant: variant, site: site, department: department, reason: reason,
                    note: note, occurrence: occurrence)),
            scope: [site])
    }

    mutating func returnBack(_ reason: String) throws(Refusal) {
        let custody = try currentCustody()
        guard let before = summary.path.first(where: { $0.id == custody.parent }) else { throw .nothingToReturn }
        try transfer(.returning, site: before.site, department: before.department, reason: reason, note: "")
    }

    mutating func accept() throws(Refusal) {
        try requireOpen()
        let custody = try currentCustody()
        guard holds(custody) else { throw .notHolder(site: custody.site, department: custody.department) }
        if let person = custody.person { throw .alreadyAccepted(person: person) }
        try add(.accept(AcceptBody(custody: custody.id, occurrence: occurrence)))
    }

    /// A handler replies for the current custody, a relaying department for its own further up.
    mutating func reply(_ text: String, _ given: Dot?) throws(Refusal) {
        try requireOpen()
        guard let current = summary.custody else { throw .noSuchTicket }
        let own = summary.path.last {
            $0.cycle == current.cycle && holds($0) && (given == nil || $0.id == given)
        }
        guard let own else { throw .notHolder(site: current.site, department: current.department) }
        guard command.version.contains(own.id) else {
            throw .custodyMoved(site: current.site, department: current.department)
        }
        try add(.reply(ReplyBody(custody: own.id, text: text, occurrence: occurrence)))
    }

    /// > a settlement and anything on the same custody: the settlement stands; of two the higher level's
    mutating func settle(_ custody: Dot, _ winner: Dot, _ reason: String) throws(Refusal) {
        guard let contest = summary.contested.first(where: { $0.parent == custody }) else { throw .noSuchContest }
        guard contest.candidates.contains(where: { $0.dot == winner }) else { throw .notCandidate }
        let arbiter = contest.arbiter ?? contest.candidates[0].site
        guard arbiter.isWithin(author.site), author.level >= AuthorityLevel(of: arbiter) else {
            throw .levelTooLow(needed: arbiter)
        }
        if let level = contest.settlementLevel, author.level <= level { throw .alreadySettled }
        try add(.settle(SettleBody(custody: custody, winner: winner, reason: reason, occurrence: occurrence)))
    }
}

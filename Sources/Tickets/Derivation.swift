internal import Replication

struct Derivation {
    let ticket: Ticket
    init(_ ticket: Ticket) { self.ticket = ticket }
    func summary() -> TicketSummary { TicketSummary(id: ticket.id) }
}

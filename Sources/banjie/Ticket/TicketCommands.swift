import ArgumentParser

struct TicketCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ticket", abstract: say("工单", "Tickets"),
        subcommands: [
            TicketOpen.self, TicketList.self, TicketShow.self, TicketSet.self, TicketTransfer.self, TicketAccept.self,
            TicketReply.self, TicketFeedback.self, TicketClose.self, TicketReopen.self, TicketChase.self,
            TicketAcknowledge.self, TicketAnswer.self, TicketNote.self, TicketSettle.self, TicketJoin.self,
            TicketSeparate.self, TicketTag.self, TicketUntag.self, TicketHistoryCommand.self,
            TicketReveal.self,
        ])
}

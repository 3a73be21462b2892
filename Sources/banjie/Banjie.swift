import ArgumentParser

/// The command line of a node. Each command has a file; all but `init`, `run` and `backup verify` go through the API.
@main
struct Banjie: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "banjie",
        abstract: say("办结：可离线工作的工单节点", "Banjie: a node for complaint tickets that also works offline"),
        discussion: examples(
            "banjie init --site zj --province", "banjie run", "banjie ticket list --status open,inProgress",
            "banjie status --json"),
        subcommands: [
            InitCommand.self, RunCommand.self, StatusCommand.self, TicketCommands.self, SyncCommands.self,
            PeerCommands.self, ParkedCommands.self, OfficeCommands.self, CustomerCommands.self,
            AssessCommands.self, ConflictCommands.self, AuditCommands.self, UserCommands.self, EnrolCommands.self,
            DoctorCommand.self,
            RebuildCommand.self, ScrubCommand.self, BackupCommands.self, ImportCommand.self,
        ])
}

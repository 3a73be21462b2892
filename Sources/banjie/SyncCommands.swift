import ArgumentParser
import Foundation
import Node

struct SyncCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: say("与对端的同步", "Sync with the peers"),
        subcommands: [
            SyncStatusCommand.self, SyncNow.self, SyncPause.self, SyncResume.self, SyncVerify.self,
            SyncRepair.self, SyncExplain.self, SyncHeads.self, SyncForget.self, BundleCommands.self,
        ])
}

struct SyncStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: say("各对端：连接、待发、待收、时钟差", "Each peer: link, what is to send and to get, clock"),
        discussion: examples("banjie sync status", "banjie sync status --watch"))

    /// Between two refreshes.
    private static let watchMilliseconds = 2_000

    @Flag(help: hint("持续刷新，Ctrl-C 结束", "Refresh until Ctrl-C; with --json, an object each time"))
    var watch = false

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        guard watch else { return try await once() }
        while !Task.isCancelled {
            // A client for each look: a stopped node's folder is not kept from starting.
            if !options.json, isatty(STDOUT_FILENO) == 1 {
                FileHandle.standardOutput.write(Data("\u{1B}[H\u{1B}[2J".utf8))
            }
            try await once()
            try await Task.sleep(for: .milliseconds(Self.watchMilliseconds))
        }
    }

    private func once() async throws {
        try await Session.withNode(options) { session, client in
            let status: SyncStatus = try await client.get("/api/v1/sync")
            try session.show(status) { $0.text(session.presentation) }
            return .success
        }
    }
}

/// A peer, or all of them.
struct PeerTarget: ParsableArguments {
    @Argument(help: hint("对端代码（默认全部）", "Site code of the peer (default: all)"))
    var peer: String?

    @OptionGroup var options: GlobalOptions

    func perform(_ command: String) async throws {
        try await Session.withNode(options) { session, client in
            let status: SyncStatus = try await client.post("/api/v1/sync/\(command)", PeerRequest(peer: peer))
            try session.show(status) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct SyncNow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "now", abstract: say("立即连接，不等待退避", "Dial at once, without waiting"),
        discussion: examples("banjie sync now", "banjie sync now hz.zj"))

    @OptionGroup var target: PeerTarget

    func run() async throws { try await target.perform("now") }
}

struct SyncPause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: say("暂停同步；工作照常", "Stop syncing; work goes on"),
        discussion: examples("banjie sync pause zj"))

    @OptionGroup var target: PeerTarget

    func run() async throws { try await target.perform("pause") }
}

struct SyncResume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: say("恢复同步", "Sync again"), discussion: examples("banjie sync resume"))

    @OptionGroup var target: PeerTarget

    func run() async throws { try await target.perform("resume") }
}

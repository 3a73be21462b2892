import ArgumentParser
import Foundation
import Node

struct RootCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "root", abstract: say("省的根证书：更换与停用", "The province's root: replacing it"),
        subcommands: [RootRotate.self, RootStatusCommand.self, RootRetire.self])
}

struct RootRotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: say(
            "制作第二个根；旧根继续有效，直到停用", "Make a second root; the former one stays trusted until it is retired"),
        discussion: examples("banjie enrol root rotate", "banjie enrol root rotate --now"))

    @Flag(help: hint("各节点下次连接时即换发证书", "Every node has its certificate signed anew at its next contact"))
    var now = false

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let name = ProcessInfo.processInfo.environment["USER"]
            let list: RootList = try await client.post(
                "/api/v1/roots/rotate", RootRotation(hurries: now, name: name))
            try session.show(list) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct RootStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: say("根证书，以及仍使用旧根证书的节点", "Roots, and the nodes that still come with certificates of a former one"),
        discussion: examples("banjie enrol root status"))

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let list: RootList = try await client.get("/api/v1/roots")
            try session.show(list) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct RootRetire: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire", abstract: say("停用旧根：各节点不再信任它", "Retire a former root: no node trusts it any more"),
        discussion: examples("banjie enrol root retire 5f0c2a7be09d4c11"))

    @Argument(help: hint("指纹或其开头，见 status", "Its fingerprint or the beginning of it, as `status` gives it"))
    var fingerprint: String

    @Flag(
        help: hint(
            "即使仍有节点使用其证书；这些节点须重新入网", "Also while nodes still come with its certificates: they have to be enrolled anew")
    )
    var force = false

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            if force {
                let warning = say(
                    "警告：仍使用旧根证书的节点将被拒绝，须重新入网。\n",
                    "Warning: nodes that still come with its certificates are shut out and have to be enrolled anew.\n")
                FileHandle.standardError.write(Data(warning.utf8))
            }
            let name = ProcessInfo.processInfo.environment["USER"]
            let list: RootList = try await client.post(
                "/api/v1/roots/retire", RootRetirement(fingerprint: fingerprint, isForced: force, name: name))
            try session.show(list) { $0.text(session.presentation) }
            return .success
        }
    }
}

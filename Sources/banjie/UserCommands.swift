import ArgumentParser
import Foundation
import Node

struct UserCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: say("控制台用户", "Users of the console"),
        subcommands: [UserAdd.self, UserPassword.self, UserRemove.self, UserList.self])

    static let noPassword = say(
        "没有读到密码，或两次输入不一致。", "No password was read, or the two do not agree.")

    static func password() throws -> String {
        let password = Secrets.password(say("密码：", "Password: "), confirming: say("再输一次：", "Once more: "))
        guard let password, !password.isEmpty else { throw ValidationError(noPassword) }
        return password
    }
}

struct UserAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: say("添加用户；密码从终端或标准输入读取", "Add a user; the password is asked for, or read from standard input"),
        discussion: examples(
            "banjie user add wang --role dispatcher --department SVC", "banjie user add wang < password-file"))

    @Argument(help: hint("用户名", "Name"))
    var name: String

    @Option(help: hint("角色", "agent|dispatcher|supervisor|assessor|auditor|admin"))
    var role = "agent"

    @Option(help: hint("部门", "Department"))
    var department: String?

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        // Asked for before the folder is opened, so that nobody waits for a person at a prompt.
        let password = try UserCommands.password()
        try await Session.withNode(options) { session, client in
            let account: AccountEntry = try await client.put(
                "/api/v1/accounts/\(APIPath.escape(name))",
                AccountRequest(role: role, department: department, password: password))
            try session.show(account) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct UserPassword: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "password", abstract: say("修改密码", "Change a password"),
        discussion: examples("banjie user password wang"))

    @Argument(help: hint("用户名", "Name"))
    var name: String

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let password = try UserCommands.password()
        try await Session.withNode(options) { session, client in
            let known: AccountList = try await client.get("/api/v1/accounts")
            guard known.accounts.contains(where: { $0.name == name }) else { throw APIFailure.noSuchAccount(name) }
            let account: AccountEntry = try await client.put(
                "/api/v1/accounts/\(APIPath.escape(name))",
                AccountRequest(password: password))
            try session.show(account) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct UserRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: say("删除用户；其操作记录保留", "Remove a user; what they did stays"),
        discussion: examples("banjie user remove wang"))

    @Argument(help: hint("用户名", "Name"))
    var name: String

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let rest: AccountList = try await client.delete("/api/v1/accounts/\(APIPath.escape(name))")
            try session.show(rest) { $0.text(session.presentation) }
            return .success
        }
    }
}

struct UserList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: say("列出用户", "List the users"), discussion: examples("banjie user list"))

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await Session.withNode(options) { session, client in
            let list: AccountList = try await client.get("/api/v1/accounts")
            try session.show(list) { $0.text(session.presentation) }
            return .success
        }
    }
}

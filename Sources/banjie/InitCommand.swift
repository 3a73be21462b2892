import ArgumentParser
import Foundation
import Logging
import Node
import Replication
import Store
import Transport

struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: say("建立节点：省级，或凭令牌入网的办公点", "Make a node: the province's, or an office's with a token"),
        discussion: examples(
            "banjie init --site zj --province --data /srv/banjie",
            "banjie init --token-file hz.token", "ssh zj banjie enrol token new hz.zj | banjie init --token-file -"))

    @Flag(help: hint("省级节点：自建证书机构", "The province: makes its own certificate authority"))
    var province = false

    @Option(help: hint("省的代码，如 zj", "The province's code, such as zj"))
    var site: String?

    @Option(help: hint("令牌文件；- 从标准输入读取", "File with the enrolment token; - for standard input"))
    var tokenFile: String?

    @Option(help: hint("显示名称", "Name shown beside the code"))
    var name: String?

    @Option(help: hint("同步监听 HOST:PORT 或 off", "Where children dial, HOST:PORT or off"))
    var listen: String?

    @Option(help: hint("入网监听 HOST:PORT 或 off", "Where tokens are redeemed, HOST:PORT or off"))
    var enrolment: String?

    @Option(help: hint("控制台监听 HOST:PORT 或 off", "Where the console listens, HOST:PORT or off"))
    var console: String?

    @Option(help: hint("令牌中告知下级的主机名", "Host that tokens tell others to dial"))
    var advertisedHost: String?

    @Option(help: hint("默认部门", "Department of those who name none"))
    var department: String?

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard province != (tokenFile != nil) else {
            throw ValidationError(say("请给出 --province 或 --token-file 之一。", "Give either --province or --token-file."))
        }
        guard !province || site != nil else {
            throw ValidationError(say("省级节点需要 --site。", "A province needs --site."))
        }
        if let site, SiteCode(site) == nil {
            throw ValidationError(say("\(site) 不是有效代码，例如 zj。", "\(site) is no site code; one is zj."))
        }
        _ = try configuration()
    }

    func run() async throws {
        try await Session.run(options) { session in
            let settings = InitOptions(configuration: try configuration(), logger: session.logger)
            let report: InitReport
            if let tokenFile {
                report = try await Offices.join(
                    folder: session.folder, token: try Self.token(tokenFile), options: settings)
            } else {
                report = try await Offices.initialiseProvince(
                    folder: session.folder, site: SiteCode(validated: site ?? ""), options: settings)
            }
            try session.show(report) { $0.text(session.presentation) }
            return .success
        }
    }

    private func configuration() throws -> NodeConfiguration {
        var configuration = NodeConfiguration()
        if let name { configuration.name = name }
        if let listen { configuration.listen = try Self.address(listen) }
        if let enrolment { configuration.enrolment = try Self.address(enrolment) }
        if let console { configuration.console = try Self.address(console) }
        if let advertisedHost { configuration.advertisedHost = advertisedHost }
        if let department { configuration.department = department }
        return configuration
    }

    private static func address(_ text: String) throws -> TransportAddress? {
        if text == "off" { return nil }
        guard let address = NodeConfiguration.parse(text) else {
            throw ValidationError(say("\(text) 应为 HOST:PORT 或 off。", "\(text) should be HOST:PORT or off."))
        }
        return address
    }

    private static func token(_ path: String) throws -> String {
        if path == "-" { return readText("-") }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StoreError.file(path: path, operation: "reading", reason: "no such file, or no permission")
        }
        return String(decoding: data, as: UTF8.self)
    }
}

internal import Foundation
package import Replication
package import Logging
package import Store
package import Transport

/// What an admin sets in `node.yaml`. Every key has a default; an unknown one is refused with its line.
package struct NodeConfiguration: Sendable, Hashable {
    /// Shown beside the site's code.
    package var name = ""
    /// Where children dial; nil for a node without children.
    package var listen: TransportAddress? = .hostPort("127.0.0.1", 7443)
    /// Where a new office redeems its token; nil closes it.
    package var enrolment: TransportAddress? = .hostPort("127.0.0.1", 7444)
    /// The console in the browser; nil for none.
    package var console: TransportAddress? = .hostPort("127.0.0.1", 7445)
    /// Host that tokens tell new offices to dial; the ports are those that are really bound.
    package var advertisedHost = "127.0.0.1"
    /// Parents to dial, in order of preference.
    package var parents: [TransportAddress] = []
    /// Other nodes of this site to dial: the second one of a province.
    package var siblings: [TransportAddress] = []
    /// What is set for links, by the peer's site.
    package var links: [SiteCode: LinkSettings] = [:]
    /// Department of commands that name none.
    package var department = "SVC"
    package var logLevel = Logger.Level.info
    package var clock: NodeClock.Scale?

    package init() {}

    static let keys = [
        "name", "listen", "enrolment", "console", "advertisedHost", "parents", "siblings", "links", "department", "log",
        "clock",
    ]

    /// - Throws: `FileProblem` with the line.
    package init(path: String) throws(FileProblem) {
        try self.init(YAMLReader(path: path))
    }

    /// - Parameter text: of the file at `path`, which is named in problems and not read.
    package init(path: String, text: String) throws(FileProblem) {
        try self.init(YAMLReader(path: path, text: text))
    }

    private init(_ yaml: YAMLReader) throws(FileProblem) {
        try yaml.allow(Self.keys)
        name = try yaml.string("name") ?? name
        listen = try Self.address(yaml, "listen", default: listen)
        enrolment = try Self.address(yaml, "enrolment", default: enrolment)
        console = try Self.address(yaml, "console", default: console)
        advertisedHost = try yaml.string("advertisedHost") ?? advertisedHost
        for text in try yaml.strings("parents") {
            guard let address = Self.parse(text) else {
                throw yaml.problem(at: "parents", "HOST:PORT for every parent, not \(text)")
            }
            parents.append(address)
        }
        for text in try yaml.strings("siblings") {
            guard let address = Self.parse(text) else {
                throw yaml.problem(at: "siblings", "HOST:PORT for every sibling, not \(text)")
            }
            siblings.append(address)
        }
        for section in try yaml.sections("links") {
            let (site, settings) = try Self.link(section)
            links[site] = settings
        }
        department = try yaml.string("department") ?? department
        if let text = try yaml.string("log") {
            guard let level = Logger.Level(rawValue: text) else {
                throw yaml.problem(at: "log", "log is trace, debug, info, notice, warning, error or critical")
            }
            logLevel = level
        }
        if let section = try yaml.section("clock") {
            try section.allow(["real", "virtual", "rate"])
            guard let real = try section.integer("real"), let virtual = try section.integer("virtual"),
                let rate = try section.integer("rate"), (1...100_000).contains(rate)
            else { throw yaml.problem(at: "clock", "real and virtual in UTC milliseconds, and a rate of 1–100000") }
            clock = NodeClock.Scale(realMilliseconds: real, virtualMilliseconds: virtual, rate: rate)
        }
    }

    /// The configuration of a folder; defaults where it has no file.
    package init(folder: DataFolder) throws(FileProblem) {
        if FileManager.default.fileExists(atPath: folder.configuration) {
            try self.init(path: folder.configuration)
        } else {
            self.init()
        }
    }

    /// HOST:PORT; the host may be an IPv6 address in brackets.
    package static func parse(_ text: String) -> TransportAddress? {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        return host.isEmpty ? nil : .hostPort(host, Int(port))
    }

    /// Least that a link may be given: a message of the smallest backlog batch in a second or so.
    static let linkKibibytesMin: Int64 = 1
    static let windowKibibytesMin: Int64 = 64

    private static func link(_ section: YAMLReader) throws(FileProblem) -> (SiteCode, LinkSettings) {
        try section.allow(["site", "kibibytesPerSecond", "windowKibibytes"])
        guard let site = SiteCode(try section.requiredString("site")) else {
            throw section.problem(at: "site", "site is the code of a peer's site, as `banjie sync status` shows it")
        }
        var settings = LinkSettings.standard
        if let rate = try section.integer("kibibytesPerSecond") {
            guard (linkKibibytesMin...1 << 30).contains(rate) else {
                throw section.problem(at: "kibibytesPerSecond", "at least \(linkKibibytesMin) KiB a second")
            }
            settings.bytesPerSecondMax = Int(rate) * 1_024
        }
        if let window = try section.integer("windowKibibytes") {
            let most = Int64(SyncLimits.unacknowledgedBytesMax / 1_024)
            guard (windowKibibytesMin...most).contains(window) else {
                throw section.problem(at: "windowKibibytes", "between \(windowKibibytesMin) and \(most) KiB")
            }
            settings.windowBytes = Int(window) * 1_024
        }
        return (site, settings)
    }

    func link(to site: SiteCode) -> LinkSettings {
        links[site] ?? .standard
    }

    private static func address(
        _ yaml: YAMLReader, _ key: String, default fallback: TransportAddress?
    ) throws(FileProblem) -> TransportAddress? {
        guard let text = try yaml.string(key) else { return fallback }
        if text == "off" || text == "false" { return nil }
        guard let address = parse(text) else {
            throw yaml.problem(at: key, "\(key) is HOST:PORT or off, not \(text)")
        }
        return address
    }

    /// Writes `node.yaml`; a cut leaves the old or the new file.
    func write(to folder: DataFolder) throws {
        try DurableFile.write(Array(yaml.utf8), to: folder.configuration)
    }

    /// The file that `init` writes.
    package var yaml: String {
        func text(_ address: TransportAddress?) -> String { address?.description ?? "off" }
        var lines = [
            "# Configuration of this node; the keys and their defaults are in Protocols/configuration.md.",
            "name: \"\(name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\"",
            "listen: \"\(text(listen))\"",
            "enrolment: \"\(text(enrolment))\"",
            "console: \"\(text(console))\"",
            "advertisedHost: \"\(advertisedHost)\"",
            "department: \"\(department)\"",
            "log: \(logLevel.rawValue)",
        ]
        if !parents.isEmpty {
            lines.append("parents:")
            lines += parents.map { "  - \"\(text($0))\"" }
        }
        if !siblings.isEmpty {
            lines.append("siblings:")
            lines += siblings.map { "  - \"\(text($0))\"" }
        }
        if !links.isEmpty {
            lines.append("links:")
            for (site, settings) in links.sorted(by: { $0.key < $1.key }) {
                lines.append("  - site: \(site)")
                if let bytes = settings.bytesPerSecondMax { lines.append("    kibibytesPerSecond: \(bytes / 1_024)") }
                lines.append("    windowKibibytes: \(settings.windowBytes / 1_024)")
            }
        }
        if let clock {
            lines += [
                "clock:", "  real: \(clock.realMilliseconds)", "  virtual: \(clock.virtualMilliseconds)",
                "  rate: \(clock.rate)",
            ]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

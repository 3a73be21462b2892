internal import HTTPTypes
internal import Hummingbird
internal import Mustache
internal import NIOCore
internal import Store
internal import Replication
internal import Tickets

/// The console's templates and texts, and how a page becomes an answer.
struct ConsoleViews: Sendable {
    let texts: ConsoleTexts
    private let library: MustacheLibrary

    static let sources: [(name: String, bytes: [UInt8])] = [
        ("layout", PackageResources.layout_mustache), ("login", PackageResources.login_mustache),
        ("failure", PackageResources.failure_mustache), ("queue", PackageResources.queue_mustache),
        ("queuerows", PackageResources.queuerows_mustache), ("ticket", PackageResources.ticket_mustache),
        ("ticketcards", PackageResources.ticketcards_mustache), ("changes", PackageResources.changes_mustache),
        ("timeline", PackageResources.timeline_mustache), ("form", PackageResources.form_mustache),
        ("open", PackageResources.open_mustache), ("sync", PackageResources.sync_mustache),
        ("syncpanel", PackageResources.syncpanel_mustache), ("timeliness", PackageResources.timeliness_mustache),
        ("drill", PackageResources.drill_mustache), ("bar", PackageResources.bar_mustache),
        ("audit", PackageResources.audit_mustache), ("auditrows", PackageResources.auditrows_mustache),
    ]

    init() {
        texts = ConsoleTexts(table: String(decoding: PackageResources.texts_txt, as: UTF8.self))
        MustacheContentTypes.register(ScalarEscaping(), named: ScalarEscaping.name)
        var library = MustacheLibrary()
        for source in Self.sources {
            do {
                let text = "{{% CONTENT_TYPE:\(ScalarEscaping.name)}}\n" + String(decoding: source.bytes, as: UTF8.self)
                try library.register(text, named: source.name)
            } catch {
                preconditionFailure("the template \(source.name) is built in and must parse: \(error)")
            }
        }
        self.library = library
    }

    /// What every page has around its own model.
    struct Frame {
        struct Tab {
            var href: String
            var text: String
            var isCurrent: Bool
        }

        let t: [String: String]
        let language: String
        let title: String
        let site: String
        let page: Any
        var isLoggedIn = false
        var personName = ""
        var personRole = ""
        var token = ""
        var tabs: [Tab] = []
        var otherLanguage = ""
        var isLineDown = false
        var lineText: String?
    }

    func words(_ state: ConsoleState, _ visit: ConsoleVisit) -> ConsoleWords {
        ConsoleWords(texts: texts, language: visit.language, catalog: state.node.catalog)
    }

    /// A whole page.
    /// - Parameter title: key of its title, unless `titleText` is given.
    func page(
        _ template: String, _ model: Any, title: String, titleText: String? = nil,
        status: HTTPResponse.Status = .ok, state: ConsoleState, visit: ConsoleVisit
    ) -> Response {
        let words = words(state, visit)
        var frame = Frame(
            t: texts.all(visit.language), language: visit.language.rawValue, title: titleText ?? words[title],
            site: state.node.identity.site.rawValue, page: model)
        frame.otherLanguage = (visit.language == .chinese ? Language.english : .chinese).rawValue
        if let session = visit.session {
            frame.isLoggedIn = true
            frame.personName = session.account.name
            frame.personRole = words.role(session.account.role)
            frame.token = session.token
            frame.tabs = Self.tabs(session.account.role).map { tab in
                Frame.Tab(href: tab.href, text: words[tab.key], isCurrent: tab.key == title)
            }
            describeLine(of: state, into: &frame, words)
        }
        return Self.answer(render(template, frame), status: status)
    }

    /// A part of a page that renews itself.
    func fragment(_ template: String, _ model: Any, state: ConsoleState, visit: ConsoleVisit) -> Response {
        let frame = Frame(
            t: texts.all(visit.language), language: visit.language.rawValue, title: "",
            site: state.node.identity.site.rawValue, page: model, token: visit.session?.token ?? "")
        return Self.answer(render(template, frame), status: .ok)
    }

    func failurePage(_ failure: ConsoleFailure, state: ConsoleState, visit: ConsoleVisit) -> Response {
        struct Model {
            var status: Int
            var message: String
        }
        let model = Model(status: failure.status.code, message: texts[failure.text, visit.language])
        return page("failure", model, title: "fail_title", status: failure.status, state: state, visit: visit)
    }

    private static func tabs(_ role: Role) -> [(href: String, key: String)] {
        let all: [(String, String, ConsolePermission)] = [
            ("/queue", "nav_queue", .readTickets), ("/tickets/new", "nav_open", .actOnTickets),
            ("/timeliness", "nav_timeliness", .readTimeliness), ("/sync", "nav_sync", .readSync),
            ("/audit", "nav_audit", .readAudit),
        ]
        return all.filter { $0.2.isGranted(to: role) }.map { ($0.0, $0.1) }
    }

    /// Whether the line to the parent stands concerns everybody who works on tickets.
    private func describeLine(of state: ConsoleState, into frame: inout Frame, _ words: ConsoleWords) {
        guard state.node.identity.parent != nil else { return }
        // Of several parents one is enough; children and siblings are no way up.
        let links = state.node.links.all.values.filter { $0.role == .parent }
        let status = links.first(where: \.isConnected) ?? links.max { $0.since < $1.since }
        guard status?.isConnected != true else {
            frame.lineText = words["line_up"]
            return
        }
        frame.isLineDown = true
        frame.lineText = status.map { words.filled("line_down_since", words.time($0.since)) } ?? words["line_down"]
    }

    private func render(_ template: String, _ frame: Frame) -> String {
        guard let text = library.render(frame, withTemplate: template) else {
            preconditionFailure("there is no template \(template)")
        }
        return text
    }

    private static func answer(_ text: String, status: HTTPResponse.Status) -> Response {
        let buffer = ByteBuffer(string: text)
        return Response(
            status: status,
            headers: [
                .contentType: "text/html; charset=utf-8", .contentLength: String(buffer.readableBytes),
                .cacheControl: "no-store",
            ],
            body: .init(byteBuffer: buffer))
    }
}

/// Escapes by Unicode scalar. The library's own escaping goes by character and lets a quotation mark pass that a
/// combining mark follows, which would end an attribute.
struct ScalarEscaping: MustacheContentType {
    static let name = "SCALARS"

    func escapeText(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "<": result.append(contentsOf: "&lt;".unicodeScalars)
            case ">": result.append(contentsOf: "&gt;".unicodeScalars)
            case "&": result.append(contentsOf: "&amp;".unicodeScalars)
            case "\"": result.append(contentsOf: "&quot;".unicodeScalars)
            case "'": result.append(contentsOf: "&#39;".unicodeScalars)
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}

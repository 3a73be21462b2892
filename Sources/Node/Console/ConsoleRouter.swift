internal import HTTPTypes
package import Hummingbird
internal import NIOCore

/// The console's addresses.
enum ConsoleRoutes {
    static let login = "/login"
    static let styles = "/static/console.css"
    static let script = "/static/console.js"
    static let icon = "/static/icon.svg"
    /// Served without a session.
    static let assets: Set<String> = [styles, script, icon]
    /// Sent by the script when it asks for news by itself.
    static let refreshHeader = HTTPField.Name("x-banjie-refresh")!
}

/// The console of a node. Every request goes through the gate; every route names the permission it needs.
/// - Parameter monotonic: milliseconds that never step, for sessions and lock-outs.
package func makeConsoleRouter(
    node: SyncNode, monotonic: @escaping @Sendable () -> Int64 = NodeClock.monotonic
) -> Router<NodeRequestContext> {
    let state = ConsoleState(node: node, monotonic: monotonic)
    let router = Router(context: NodeRequestContext.self)
    router.add(middleware: ConsoleHeaders(state: state))
    router.add(middleware: ConsoleGate(state: state))
    addAssets(to: router)
    LoginPages(state: state).add(to: router)
    router.get("/") { _, _ in Response.seeOther("/queue") }
    QueuePages(state: state).add(to: router)
    OpenPages(state: state).add(to: router)
    TicketPages(state: state).add(to: router)
    SyncPages(state: state).add(to: router)
    TimelinessPages(state: state).add(to: router)
    AuditPages(state: state).add(to: router)
    return router
}

private func addAssets(to router: Router<NodeRequestContext>) {
    let assets = [
        (ConsoleRoutes.styles, "text/css; charset=utf-8", PackageResources.console_css),
        (ConsoleRoutes.script, "text/javascript; charset=utf-8", PackageResources.console_js),
        (ConsoleRoutes.icon, "image/svg+xml", PackageResources.icon_svg),
    ]
    for (path, type, bytes) in assets {
        let buffer = ByteBuffer(bytes: bytes)
        router.get(RouterPath(path)) { _, _ in
            Response(
                status: .ok,
                headers: [
                    .contentType: type, .contentLength: String(buffer.readableBytes),
                    .cacheControl: "private, max-age=300",
                ],
                body: .init(byteBuffer: buffer))
        }
    }
}

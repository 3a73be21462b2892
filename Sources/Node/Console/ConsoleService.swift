internal import Hummingbird
package import Logging
internal import ServiceLifecycle
package import Transport

/// The console's listener: TLS 1.3 and HTTP/2 without client certificates. Who a browser speaks for is found out by a
/// log-in and nothing else.
package final class ConsoleService: Service {
    private let server: HTTP2Server

    /// - Parameter address: loopback unless the configuration says otherwise.
    /// - Throws: `TransportError.configuration` for an identity that cannot be used.
    package init(
        node: SyncNode, address: TransportAddress = .hostPort("127.0.0.1", 0), identity: TLSIdentity, logger: Logger
    ) throws {
        let bridge = RouterBridge(responder: makeConsoleRouter(node: node).buildResponder(), logger: logger)
        server = HTTP2Server(
            address: address,
            tls: try TLSContext.server(identity: identity, trustRootsPEM: "", clientCertificate: .none),
            limits: .browser, logger: logger
        ) { stream, peer in
            await bridge.serve(stream, caller: .browser(remoteAddress: Self.host(of: peer.remoteAddress)))
        }
    }

    /// The bound port; waits until `run` has bound.
    package var port: Int { get async throws { try await server.port } }

    package func run() async throws { try await server.run() }

    /// The address without the port, which is another one for each connection; of an IPv6 address its network.
    static func host(of remoteAddress: String) -> String {
        PeerHost.key(of: remoteAddress.lastIndex(of: ":").map { String(remoteAddress[..<$0]) } ?? remoteAddress)
    }
}

import TestSupport
import Testing

@testable import Transport

/// Under what strangers are counted, and how long one may be there and want nothing.
@Suite struct PeerHostTests {
    @Test(
        "addresses of one IPv6 network count as one host, IPv4 addresses one by one",
        arguments: [
            ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"), ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("::ffff:192.0.2.7", "192.0.2.7"), ("fe80::1%eth0", "fe80::/64"), ("[2001:db8::1]", "2001:db8::/64"),
            ("::1", "::/64"), ("unix", "unix"), ("not:an:address", "not:an:address"),
        ])
    func key(address: String, expected: String) {
        #expect(PeerHost.key(of: address) == expected)
    }

    @Test("a browser that asks for nothing in its time is sent away, one that has asked may stay")
    func firstRequest() async throws {
        let authority = try TestAuthority.shared.get()
        var limits = TransportLimits.browser
        limits.firstRequestMilliseconds = 3_000
        let server = try EchoTests.makeServer(limits: limits) { stream, _ in
            try? stream.respond(HTTP2ResponseHead(status: 200), endStream: true)
        }
        try await withServer(server) { server in
            func ask() async throws -> HTTP2Connection {
                let connection = try await EchoTests.dial(server, authority.branch)
                let stream = try await connection.open(
                    HTTP2RequestHead(method: "GET", authority: "x", path: "/"), endStream: true)
                #expect(try await stream.responseHead.status == 200)
                return connection
            }
            var asked: HTTP2Connection?
            // On a busy machine a request may come too late.
            try await eventually("somebody has asked in time", within: 120) {
                asked = try? await ask()
                return asked != nil
            }
            let useful = try #require(asked)
            let idle = try await EchoTests.dial(server, authority.branch)
            // Ends by the server's doing alone.
            _ = await idle.closed
            #expect(try await useful.ping() > .zero)
            await useful.close()
        }
    }
}

/// One field of a header or trailer list.
package struct HTTP2Header: Sendable, Hashable {
    /// Lower case, as HTTP/2 demands; a name in capitals is refused by the peer.
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

extension [HTTP2Header] {
    /// The first value under this lower-case name. O(n).
    package subscript(name: String) -> String? {
        first { $0.name == name }?.value
    }
}

/// The head of a request.
package struct HTTP2RequestHead: Sendable, Hashable {
    package var method: String
    /// `https` over TLS, `http` on the local socket.
    package var scheme: String
    package var authority: String
    /// With the query, as sent; nothing is decoded.
    package var path: String
    package var headers: [HTTP2Header]

    package init(
        method: String = "GET", scheme: String = "https", authority: String, path: String, headers: [HTTP2Header] = []
    ) {
        self.method = method
        self.scheme = scheme
        self.authority = authority
        self.path = path
        self.headers = headers
    }

    /// - Returns: nil if a pseudo-header that a request needs is missing.
    init?(fields: [HTTP2Header]) {
        guard let method = fields[":method"], let path = fields[":path"] else { return nil }
        self.init(
            method: method, scheme: fields[":scheme"] ?? "", authority: fields[":authority"] ?? fields["host"] ?? "",
            path: path, headers: fields.filter { !$0.name.hasPrefix(":") })
    }

    var fields: [HTTP2Header] {
        [
            HTTP2Header(":method", method), HTTP2Header(":scheme", scheme), HTTP2Header(":authority", authority),
            HTTP2Header(":path", path),
        ] + headers
    }
}

/// The head of a response.
package struct HTTP2ResponseHead: Sendable, Hashable {
    /// 200 to 599; interim answers are not shown.
    package var status: Int
    package var headers: [HTTP2Header]

    package init(status: Int, headers: [HTTP2Header] = []) {
        self.status = status
        self.headers = headers
    }

    init?(fields: [HTTP2Header]) {
        guard let text = fields[":status"], let status = Int(text) else { return nil }
        self.init(status: status, headers: fields.filter { !$0.name.hasPrefix(":") })
    }

    var fields: [HTTP2Header] { [HTTP2Header(":status", String(status))] + headers }
}

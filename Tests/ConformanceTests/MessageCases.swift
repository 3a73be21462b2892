import TestSupport
import Transport

/// RFC 9113 §8: what makes a request, and what makes one malformed.
extension ConformanceCase {
    private static func get(_ further: [(String, String)]) -> [UInt8] {
        Frame.headers(1, Request.block(further), flags: 5)
    }

    private static func request(_ fields: [(String, String)]) -> [UInt8] {
        Frame.headers(1, Request.fields(fields), flags: 5)
    }

    private static func literal(_ name: [UInt8], _ value: [UInt8]) -> [UInt8] {
        Frame.headers(1, Request.get + [0] + HPACK.string(name) + HPACK.string(value), flags: 5)
    }

    private static let trailers = HPACK.literal("x-sum", "7")

    /// §8.1
    static let messages: [Self] = [
        Self("8.1", "GET", [get([])], .response(1, has: ["GET /"])),
        Self(
            "8.1", "HEAD: an answer without a body", [Frame.headers(1, Request.block(method: "HEAD"), flags: 5)],
            .goesOn("an answer") { $0.contains { $0.type == Frame.headersType && $0.stream == 1 } }),
        Self(
            "8.1", "POST with a body", [Frame.headers(1, Request.post), Frame.data(1, Array("x=1".utf8), flags: 1)],
            .response(1, has: ["POST /", "body: x=1"])),
        Self(
            "8.1", "POST with trailers",
            [Frame.headers(1, Request.post), Frame.data(1, [0x61]), Frame.headers(1, trailers, flags: 5)],
            .response(1, has: ["body: a", "trailer x-sum: 7"])),
        Self(
            "8.1", "two requests whose bodies alternate",
            [
                Frame.headers(1, Request.post), Frame.headers(3, Request.post), Frame.data(1, [0x61]),
                Frame.data(3, [0x62]),
                Frame.data(1, [0x63], flags: 1), Frame.data(3, [0x64], flags: 1),
            ], .response(1, has: ["body: ac"])),
        Self(
            "8.1", "a second HEADERS without END_STREAM",
            [Frame.headers(1, Request.post), Frame.headers(1, trailers), Frame.data(1, flags: 1)],
            .malformed(1)),
        Self(
            "8.1", "a pseudo-header in trailers",
            [Frame.headers(1, Request.post), Frame.headers(1, Request.fields([(":method", "GET")]), flags: 5)],
            .malformed(1)),
        Self(
            "8.1.1", "content-length greater than the body",
            [
                Frame.headers(1, Request.block(method: "POST", [("content-length", "2")])),
                Frame.data(1, [0x61], flags: 1),
            ], .malformed(1)),
        Self(
            "8.1.1", "content-length less than the body",
            [
                Frame.headers(1, Request.block(method: "POST", [("content-length", "1")])),
                Frame.data(1, [0x61, 0x62], flags: 1),
            ], .malformed(1)),
        Self(
            "8.1.1", "content-length other than several DATA frames",
            [
                Frame.headers(1, Request.block(method: "POST", [("content-length", "1")])), Frame.data(1, [0x61]),
                Frame.data(1, [0x62], flags: 1),
            ], .malformed(1)),
        Self("8.1.1", "content-length of a request without a body", [get([("content-length", "5")])], .malformed(1)),
        Self("8.1.1", "content-length that is no number", [get([("content-length", "1x")])], .malformed(1)),
        Self(
            "8.1.1", "two different content-lengths",
            [
                Frame.headers(1, Request.block(method: "POST", [("content-length", "1"), ("content-length", "2")])),
                Frame.data(1, [0x61], flags: 1),
            ], .malformed(1)),
        Self(
            "8.1.1", "content-length and a body of that length",
            [
                Frame.headers(1, Request.block(method: "POST", [("content-length", "2")])),
                Frame.data(1, [0x61, 0x62], flags: 1),
            ], .response(1, has: ["body: ab"])),
        Self("8.1.1", "an empty field block", [Frame.headers(1, [], flags: 5)], .malformed(1)),
    ]

    /// §8.2.1, §8.2.2
    static let fields: [Self] = [
        Self("8.2.1", "a name in capitals", [get([("X-Test", "1")])], .malformed(1)),
        Self("8.2.1", "a name with a space", [get([("x test", "1")])], .malformed(1)),
        Self("8.2.1", "a name with an octet of 0x7f", [literal([0x78, 0x7f], [0x31])], .malformed(1)),
        Self("8.2.1", "a name with an octet above 0x7f", [literal([0x78, 0xe4], [0x31])], .malformed(1)),
        Self("8.2.1", "a name with a colon that does not stand first", [get([("x:y", "1")])], .malformed(1)),
        Self("8.2.1", "an empty name", [get([("", "1")])], .malformed(1)),
        Self("8.2.1", "a value with NUL", [literal([0x78], [0x61, 0, 0x62])], .malformed(1)),
        Self("8.2.1", "a value with LF", [literal([0x78], [0x61, 0x0a, 0x62])], .malformed(1)),
        Self("8.2.1", "a value with CR", [literal([0x78], [0x61, 0x0d, 0x62])], .malformed(1)),
        Self("8.2.1", "a value that begins with a space", [get([("x", " a")])], .malformed(1)),
        Self("8.2.1", "a value that ends with a tab", [get([("x", "a\t")])], .malformed(1)),
        Self("8.2.1", "an empty value", [get([("x", "")])], .response(1, has: ["x: "])),
        Self(
            "8.2.1", "a value with a space inside and UTF-8", [get([("x", "a b 办结")])], .response(1, has: ["x: a b 办结"])
        ),
        Self("8.2.2", "connection", [get([("connection", "keep-alive")])], .malformed(1)),
        Self("8.2.2", "proxy-connection", [get([("proxy-connection", "keep-alive")])], .malformed(1)),
        Self("8.2.2", "keep-alive", [get([("keep-alive", "5")])], .malformed(1)),
        Self("8.2.2", "transfer-encoding", [get([("transfer-encoding", "chunked")])], .malformed(1)),
        Self("8.2.2", "upgrade", [get([("upgrade", "h2c")])], .malformed(1)),
        Self("8.2.2", "te other than trailers", [get([("te", "trailers, deflate")])], .malformed(1)),
        Self("8.2.2", "te: trailers", [get([("te", "trailers")])], .response(1, has: ["te: trailers"])),
        Self(
            "8.2.3", "cookies in several fields", [get([("cookie", "a=b"), ("cookie", "c=d")])],
            .response(1, has: ["cookie: a=b", "cookie: c=d"])),
    ]

    private static let method = (":method", "GET"), scheme = (":scheme", "https"), authority = (":authority", "a"),
        path = (":path", "/")

    /// §8.3, §8.3.1, §8.5
    static let requests: [Self] = [
        Self(
            "8.3", "an unknown pseudo-header", [request([method, scheme, authority, path, (":test", "1")])],
            .malformed(1)),
        Self(
            "8.3", "a pseudo-header of answers", [request([method, scheme, authority, path, (":status", "200")])],
            .malformed(1)),
        Self(
            "8.3", "a pseudo-header after a field", [request([method, scheme, path, ("x", "1"), authority])],
            .malformed(1)),
        Self(
            "8.3", "a pseudo-header in capitals", [request([(":Method", "GET"), scheme, authority, path])],
            .malformed(1)),
        Self("8.3.1", "an empty :path", [request([method, scheme, authority, (":path", "")])], .malformed(1)),
        Self(
            "8.3.1", "a :path without a slash", [request([method, scheme, authority, (":path", "x")])], .malformed(1)),
        Self("8.3.1", "no :method", [request([scheme, authority, path])], .malformed(1)),
        Self("8.3.1", "no :scheme", [request([method, authority, path])], .malformed(1)),
        Self("8.3.1", "no :path", [request([method, scheme, authority])], .malformed(1)),
        Self("8.3.1", "two :method", [request([method, method, scheme, authority, path])], .malformed(1)),
        Self("8.3.1", "two :scheme", [request([method, scheme, scheme, authority, path])], .malformed(1)),
        Self("8.3.1", "two :path", [request([method, scheme, authority, path, path])], .malformed(1)),
        Self("8.3.1", "two :authority", [request([method, scheme, authority, authority, path])], .malformed(1)),
        Self(
            "8.3.1", "an :authority with a space", [request([method, scheme, (":authority", "a b"), path])],
            .malformed(1)),
        Self(
            "8.3.1", "a :method with a space", [request([(":method", "GE T"), scheme, authority, path])], .malformed(1)),
        Self("8.3.1", "host instead of :authority", [request([method, scheme, path, ("host", "a")])], .response(1)),
        Self(
            "8.3.1", "OPTIONS of the whole server",
            [request([(":method", "OPTIONS"), scheme, authority, (":path", "*")])], .response(1, has: ["OPTIONS *"])),
        Self("8.3.1", "* with another method", [request([method, scheme, authority, (":path", "*")])], .malformed(1)),
        Self(
            "8.4", "a promise by the server: none is made", [get([])],
            .goesOn("no PUSH_PROMISE") { !$0.contains { $0.type == Frame.pushPromiseType } }),
        Self(
            "8.5", "CONNECT with :path and :scheme", [request([(":method", "CONNECT"), scheme, authority, path])],
            .malformed(1)),
    ]
}

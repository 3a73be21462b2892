internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// An answer to a browser's request that came in without a connection.
package struct BrowserAnswer: Sendable {
    package var status: Int
    /// Names in lower case, in the order of the answer.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package var text: String { String(decoding: body, as: UTF8.self) }

    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

extension RouterBridge {
    /// Answers a browser's request inside this process, as if it had come from an address: for tests of the console.
    package func respond(
        method: String, path: String, headers: [(String, String)], body: [UInt8], remoteAddress: String,
        authority: String = "console.test"
    ) async -> BrowserAnswer {
        var fields = HTTPFields()
        for (name, value) in headers {
            guard let name = HTTPField.Name(name) else { continue }
            fields.append(HTTPField(name: name, value: value))
        }
        let request = Request(
            head: HTTPRequest(
                method: HTTPRequest.Method(method) ?? .get, scheme: "https", authority: authority, path: path,
                headerFields: fields),
            body: RequestBody(buffer: ByteBuffer(bytes: body)))
        let response = await respond(to: request, caller: .browser(remoteAddress: remoteAddress))
        let collector = BodyCollector()
        try? await response.body.write(collector)
        return BrowserAnswer(
            status: response.status.code, headers: response.headers.map { ($0.name.canonicalName, $0.value) },
            body: await collector.storage.bytes)
    }
}

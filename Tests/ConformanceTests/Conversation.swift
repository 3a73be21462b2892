import NIOCore
import TestSupport
import Transport

/// Plays a case at a server of its own: real sockets, TLS with certificates on both sides.
struct Conversation {
    /// Answers each request, once it is complete, with a text: a line for each field, body and trailer.
    static let mirror: HTTP2Server.Handler = { stream, _ in
        do {
            let head = stream.requestHead
            var lines = ["\(head.method) \(head.path)"] + head.headers.map { "\($0.name): \($0.value)" }
            lines.append("body: " + String(buffer: try await stream.collect(bytesMax: 1 << 20)))
            lines += stream.trailers.map { "trailer \($0.name): \($0.value)" }
            try stream.respond(
                HTTP2ResponseHead(status: 200), body: ByteBuffer(string: lines.joined(separator: "\n")))
        } catch {
            stream.reset()
        }
    }

    /// How a PING of ours begins that tells that everything before it was read.
    private static let marker: [UInt8] = Array("barrier".utf8)

    static func play(_ item: ConformanceCase) async throws -> Outcome {
        let authority = try TestAuthority.shared.get()
        var limits = TransportLimits.node
        // Time is not what these cases are about, and all of them run at once.
        limits.prefaceMilliseconds = 60_000
        let server = HTTP2Server(
            address: .hostPort("127.0.0.1", 0), tls: try authority.serverContext(), limits: limits, logger: quiet,
            handler: mirror)
        return try await withServer(server) { server in
            let client = try await RawClient(server, authority.branch)
            let outcome = try await Self(client: client).run(item)
            client.channel.close(promise: nil)
            return outcome
        }
    }

    private let client: RawClient

    private func run(_ item: ConformanceCase) async throws -> Outcome {
        let greeted = try await greet(item.greeting)
        for step in item.steps where client.isActive {
            switch step {
            case .send(let frames): try? await client.send(frames)
            case .await(let what, let holds):
                try await eventually(what, within: 10) { holds(client.frames) || !client.isActive }
            }
        }
        // The second one is answered after everything that the first one's answer overtook.
        if !item.expectation.isEnd { for number in 0..<2 { try await barrier(UInt8(number)) } }
        if case .response(let stream, _) = item.expectation,
            case .await(let what, let holds) = ConformanceCase.Step.answer(stream)
        {
            try await eventually(what, within: 10) { holds(client.frames) || !client.isActive }
        }
        if case .goesOn(let what, let holds) = item.expectation {
            // What a request's handler says may come after the barriers. If it never does, the outcome tells more.
            try? await eventually(what, within: 10) { holds(said(after: greeted)) || !client.isActive }
        }
        if item.expectation.isEnd { try await eventually("the end", within: 10) { !client.isActive } }
        return Outcome(frames: said(after: greeted), hasEnded: !client.isActive)
    }

    private func said(after greeted: Int) -> [Frame] {
        client.frames.dropFirst(greeted).filter { !isBarrier($0) }
    }

    /// - Returns: how many frames were received with it.
    private func greet(_ greeting: ConformanceCase.Greeting) async throws -> Int {
        let payload: [UInt8]
        switch greeting {
        case .none: return 0
        case .usual: payload = []
        case .settings(let bytes): payload = bytes
        }
        try await client.send([RawPeer.preface, Frame.bytes(Frame.settingsType, payload)])
        try await eventually("SETTINGS and the answer to ours", within: 10) {
            client.frames.count { $0.type == Frame.settingsType } == 2
        }
        try await client.send([Frame.bytes(Frame.settingsType, flags: Frame.acknowledgement)])
        return client.frames.count
    }

    private func barrier(_ number: UInt8) async throws {
        try? await client.send([Frame.bytes(Frame.pingType, Self.marker + [number])])
        try await eventually("the answer to a PING", within: 10) {
            !client.isActive || client.frames.contains { isBarrier($0) && $0.payload.last == number }
        }
    }

    private func isBarrier(_ frame: Frame) -> Bool {
        frame.type == Frame.pingType && frame.payload.starts(with: Self.marker)
    }
}

extension Expectation {
    /// Whether the connection ends in any case, so that nothing more is to be said on it.
    var isEnd: Bool {
        switch self {
        case .connectionError, .end, .lastResponse: true
        case .either(let several): several.allSatisfy(\.isEnd)
        default: false
        }
    }
}

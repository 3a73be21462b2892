import Foundation
import NIOCore
import Node
import Replication
import Store
import TestSupport
import Testing
import Tickets
import Transport

/// A child that speaks version 1 of the protocol, byte for byte as it was when that was the only one: the frames in
/// Protocols/vectors/session-1.json are never written again.
@Suite struct FrozenPeerTests {
    private struct Frames: Codable {
        var site: String
        var hello: String
        var resume: String
        /// A replica's announcement and a ticket that it opens.
        var batch: String
        /// What version 1 knows; a message with another number ended its sessions.
        var messageNumbers: Set<UInt64>
    }

    private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Protocols/vectors/session-1.json")

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    /// The number of the field that a message begins with.
    fileprivate static func number(_ message: [UInt8]) -> UInt64 {
        var (value, shift): (UInt64, UInt64) = (0, 0)
        for byte in message {
            value |= UInt64(byte & 0x7F) << shift
            shift += 7
            if byte & 0x80 == 0 { break }
        }
        return value >> 3
    }

    /// What the parent says, by the numbers of its messages.
    private final class Incoming {
        private(set) var numbers: Set<UInt64> = []
        private var chunks: HTTP2Body.AsyncIterator
        private var buffer = ByteBuffer()

        init(_ stream: HTTP2Stream) {
            chunks = stream.body.makeAsyncIterator()
        }

        func read(until wanted: Set<UInt64>) async throws {
            while !wanted.isSubset(of: numbers) {
                guard var chunk = try await chunks.next() else { throw Timeout(what: "messages \(wanted)") }
                buffer.writeBuffer(&chunk)
                while let length = try SyncCodec.messageBytes(prefix: buffer.readableBytesView),
                    buffer.readableBytes >= length + SyncCodec.prefixBytes
                {
                    buffer.moveReaderIndex(forwardBy: SyncCodec.prefixBytes)
                    numbers.insert(FrozenPeerTests.number(buffer.readBytes(length: length) ?? []))
                }
            }
        }
    }

    @Test("a peer of the version before is understood, is answered in its own words, and gets what is for it")
    func versionOne() async throws {
        let frames = try JSONDecoder().decode(Frames.self, from: Data(contentsOf: Self.page))
        let province = try Province()
        let zj = try await province.add("zj")
        let office = try await province.add(frames.site, starting: false)
        let address = try #require(zj.runtime?.addresses.sync.flatMap(NodeConfiguration.parse))
        let connection = try await HTTP2Client.connect(
            to: address, tls: try KeyFolder(office.folder).clientContext(), expectedPeer: .uri("banjie://zj/"),
            logger: quiet)
        let stream = try await connection.open(HTTP2RequestHead(method: "POST", authority: "zj", path: "/sync/v1"))
        let incoming = Incoming(stream)
        try await stream.write(ByteBuffer(bytes: Self.bytes(frames.hello)))
        try await incoming.read(until: [1, 7])
        for frame in [frames.resume, frames.batch] {
            try await stream.write(ByteBuffer(bytes: Self.bytes(frame)))
        }
        try await eventually("its ticket is there") { try zj.node.reader.counts().tickets == 1 }
        // Something for the child: a ticket that goes to its site.
        let opened = try await zj.node.execute(
            TicketCommand(
                ticket: nil, version: VersionVector(), action: .open(OpenBody(title: "转派", department: "service"))),
            by: agent(at: zj.site))
        _ = try await zj.node.execute(
            TicketCommand(
                ticket: opened.ticket, version: VersionVector(opened.dots),
                action: .transfer(.dispatch, site: office.site, department: "service", reason: "", note: "")),
            by: agent(at: zj.site))
        // The acknowledgement of its batch, and a batch for it.
        try await incoming.read(until: [2, 3])
        #expect(incoming.numbers.isSubset(of: frames.messageNumbers), "nothing that version 1 does not know")
        await connection.close(limitMilliseconds: 0)
        await province.stop()
    }
}

import Replication
import Store
import TestSupport
import Testing
import Transport

@testable import Node

/// A peer that asks and asks, and does not read. Source: Protocols/sync.md §6.
@Suite struct LinkGaugeTests {
    private let request = SyncMessage.auditRequest(AuditRequest(number: 1, content: .summarise(.all)))

    @Test("a second audit waits for the answer to the first, a second request for keys is passed over")
    func oneOfAKind() {
        let gauge = LinkGauge()
        #expect(gauge.admit(request) == .pass)
        #expect(gauge.admit(request) == .hold)
        #expect(gauge.admit(.keyRequest([])) == .pass)
        #expect(gauge.admit(.keyRequest([])) == .drop)
        #expect(gauge.admit(.heads([])) == .pass)
        #expect(gauge.admit(.heads([])) == .hold)
        #expect(gauge.admit(.keys([], beforeBatch: true)) == .pass && gauge.admit(.caughtUp) == .pass)
        gauge.done(.audit)
        #expect(gauge.admit(request) == .pass)
        gauge.done(.keyRequest)
        #expect(gauge.admit(.keyRequest([])) == .pass)
    }

    @Test("with the bytes of answers at their bound nothing is read on, with one octet less it is")
    func bound() {
        let gauge = LinkGauge()
        gauge.queued(bytes: LinkGauge.queuedBytesMax)
        #expect(gauge.admit(.caughtUp) == .hold)
        gauge.written(bytes: 1)
        #expect(gauge.admit(.caughtUp) == .pass)
    }

    @Test("a child that sends audit requests without waiting is answered one by one, and stays connected")
    func patience() async throws {
        let province = try Province()
        let zj = try await province.add("zj")
        let child = try await HandMadeChild("nb.zj", province: province, parent: zj)
        try await child.greet()
        let count: UInt64 = 20
        var bytes: [UInt8] = []
        for number in 1...count {
            bytes += try SyncCodec.encode(.auditRequest(AuditRequest(number: number, content: .summarise(.all))))
        }
        try await child.send(bytes)
        var answered: [UInt64] = []
        while answered.count < count, let message = try await child.next() {
            if case .auditReply(let reply) = message { answered.append(reply.number) }
        }
        #expect(answered == Array(1...count))
        #expect(zj.runtime?.node.links.all.values.contains(where: \.isConnected) == true)
        await child.connection.close(limitMilliseconds: 0)
        await province.stop()
    }
}

import Foundation
import Replication
import TestSupport
import Testing
import Tickets

/// What a ticket of ten operations costs and takes; prints, and expects nothing of the machine. Run with
/// `MEASURE=1 swift test -c release -Xswiftc -enable-testing --filter CostTests`.
@Suite struct CostTests {
    @Test(
        "what decoding, applying, summarising and encoding cost",
        .enabled(if: ProcessInfo.processInfo.environment["MEASURE"] == "1"))
    func cost() throws {
        let scene = try FlowTests.relayed()
        let operations = scene.operations.filter { $0.entity == scene.id }
        let rounds = 20_000
        var ticket = Ticket(id: scene.id)
        for operation in operations { ticket.apply(operation) }
        let bytes = ticket.encoded()
        print("\(operations.count) operations, \(bytes.count) bytes, \(bytes.count / operations.count) an operation")
        var sum = 0
        func measure(_ name: String, per count: Int = 1, _ body: () throws -> Int) rethrows {
            let clock = ContinuousClock()
            let start = clock.now
            for _ in 0..<rounds { sum &+= try body() }
            let elapsed = (clock.now - start) / (rounds * count)
            print("\(name): \(elapsed)")
        }
        try measure("decode") { try Ticket(decoding: bytes, id: scene.id).operationCount }
        measure("encode") { ticket.encoded().count }
        measure("summary") { ticket.summary().steps.count }
        measure("apply, each", per: operations.count) {
            var fresh = Ticket(id: scene.id)
            for operation in operations { fresh.apply(operation) }
            return fresh.operationCount
        }
        let last = operations[operations.count - 1]
        var almost = Ticket(id: scene.id)
        for operation in operations.dropLast() { almost.apply(operation) }
        measure("apply the last one to a copy") {
            var copy = almost
            copy.apply(last)
            return copy.operationCount
        }
        print("checked \(sum)")
    }
}

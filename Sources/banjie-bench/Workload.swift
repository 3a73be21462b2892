internal import Replication
internal import Tickets

/// One operation in the two forms that are measured: Banjie's own, and the plain row of the reference.
struct WorkloadOperation {
    var operation: Operation
    /// 1–12, for the reference's key.
    var origin: Int
    /// For the reference's key.
    var ticket: Int
    /// For the reference's register; nil for operations that write none.
    var register: Int?
    /// The text that people wrote: what the reference stores.
    var text: String
    var body: Body
}

/// The whole of a `WorkloadStream` in memory.
struct Workload {
    let operations: [WorkloadOperation]
    let announcements: [Operation]
    let payloadBytes: Int

    init(operations count: Int, tickets: Int, seed: UInt64) {
        let stream = WorkloadStream(operations: count, tickets: tickets, seed: seed)
        announcements = stream.announcements
        operations = Array(stream)
        payloadBytes = operations.reduce(0) { $0 + $1.text.utf8.count }
    }
}

/// What something is, for the trace and for counting.
enum EventCode: UInt64 {
    case dial = 1
    case arrive, streamEnded, job, drain, tick, act, epoch, projection, boot, fault, feedAdvanced, look, heal, rest,
        scrub
}

/// Something that happens at an office at an instant of virtual time.
struct Event {
    /// Virtual milliseconds since the start.
    var at: Int64
    /// Of two at one instant the one that was planned first.
    var number: UInt64
    var code: EventCode
    /// Nil for what happens to the world.
    var office: Office?
    /// Of the office's process: what was planned by one that has ended does not happen.
    var process: Int
    var body: () throws -> Void
}

/// A binary heap by time.
struct EventQueue {
    private var heap: [Event] = []
    private var planned: UInt64 = 0

    var count: Int { heap.count }

    mutating func plan(at time: Int64, _ code: EventCode, _ office: Office?, _ body: @escaping () throws -> Void) {
        planned += 1
        heap.append(
            Event(
                at: time, number: planned, code: code, office: office, process: office?.process ?? 0, body: body))
        var index = heap.count - 1
        while index > 0, isBefore(index, (index - 1) / 2) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    mutating func next() -> Event? {
        guard let first = heap.first else { return nil }
        heap[0] = heap[heap.count - 1]
        heap.removeLast()
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && isBefore(child, least) {
                least = child
            }
            if least == index { return first }
            heap.swapAt(index, least)
            index = least
        }
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (heap[left].at, heap[left].number) < (heap[right].at, heap[right].number)
    }
}

import Synchronization
import TestSupport
import Testing

@testable import Node

/// A mailbox's promises: in order, one at a time, nothing lost before the end and nothing taken behind it.
struct MailboxTests {
    private final class Taken: Sendable {
        let values = Mutex<[Int]>([])
        let isBusy = Mutex(false)

        func take(_ value: Int) async {
            #expect(
                isBusy.withLock { isBusy in
                    defer { isBusy = true }; return !isBusy
                })
            await Task.yield()
            values.withLock { $0.append(value) }
            isBusy.withLock { $0 = false }
        }
    }

    @Test("whatever several tasks put in is taken once, one at a time, in each one's order", arguments: 1...20)
    func order(round: Int) async {
        let (mailbox, taken) = (Mailbox<Int>(), Taken())
        if round % 2 == 0 { mailbox.put(-1) }
        mailbox.open { value in
            await taken.take(value)
            return true
        }
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    for index in 0..<100 {
                        mailbox.put(task * 100 + index)
                        if index % 7 == round % 7 { await Task.yield() }
                    }
                }
            }
        }
        mailbox.close()
        mailbox.put(1_000)
        #expect(await mailbox.finished())
        let values = taken.values.withLock { $0 }
        #expect(values.filter { $0 >= 0 }.count == 400)
        #expect(values.contains(-1) == (round % 2 == 0))
        for task in 0..<4 {
            #expect(values.filter { $0 / 100 == task && $0 >= 0 } == Array(task * 100..<task * 100 + 100))
        }
    }

    @Test("behind a receiver that wants nothing further nothing is taken, and the end says so")
    func stop() async {
        let (mailbox, taken) = (Mailbox<Int>(), Taken())
        for value in 0..<10 { mailbox.put(value) }
        mailbox.open { value in
            await taken.take(value)
            return value < 3
        }
        #expect(await !mailbox.finished())
        #expect(taken.values.withLock { $0 } == [0, 1, 2, 3])
    }

    @Test("what is cancelled lets go of what waits, and ends when what is under way has ended")
    func cancel() async {
        let (mailbox, taken) = (Mailbox<Int>(), Taken())
        let (gate, opening) = AsyncStream<Void>.makeStream()
        mailbox.open { value in
            for await _ in gate { break }
            await taken.take(value)
            return true
        }
        for value in 0..<10 { mailbox.put(value) }
        mailbox.cancel()
        opening.finish()
        #expect(await !mailbox.finished())
        #expect(taken.values.withLock(\.count) <= 1)
    }
}

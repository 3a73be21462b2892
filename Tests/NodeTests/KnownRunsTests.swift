import Node
import Replication
import Testing

/// Which processes of an incarnation are two at once. Source: Protocols/sync.md §7.
@Suite struct KnownRunsTests {
    /// A session: which process came in it, when it began, and when its Hello came, in seconds.
    private struct Meeting {
        var run: UInt64
        var began: Int
        var heard: Int
        var replica: UInt64 = 7
    }

    /// - Parameter meetings: by when their Hello came.
    /// - Returns: for each whether its process was taken for the only one.
    private func admitted(_ meetings: [Meeting]) throws -> [Bool] {
        let (start, site) = (ContinuousClock.now, try #require(SiteCode("b0.r0.zj")))
        var runs = KnownRuns()
        return meetings.map { meeting in
            runs.admit(
                SyncMessage.Hello(
                    version: SyncSession.versionMax, site: site, replica: ReplicaID(meeting.replica),
                    wallMilliseconds: 0, run: meeting.run),
                began: start.advanced(by: .seconds(meeting.began)), now: start.advanced(by: .seconds(meeting.heard)))
        }
    }

    @Test("a process that starts again and again is the only one")
    func restarts() throws {
        let meetings = (0..<20).map { Meeting(run: UInt64($0 / 2), began: 10 * $0, heard: 10 * $0 + 1) }
        #expect(try admitted(meetings).allSatisfy { $0 })
    }

    @Test("a process that comes back behind the one which had replaced it is one of two")
    func comesBack() throws {
        let meetings = [
            Meeting(run: 1, began: 0, heard: 1), Meeting(run: 2, began: 2, heard: 3),
            Meeting(run: 1, began: 4, heard: 5),
        ]
        #expect(try admitted(meetings) == [true, true, false])
    }

    @Test("a late Hello of a former process makes no copy of the one that runs, whether that process was known or not")
    func lateHello() throws {
        // The first session's Hello comes behind two of the next process, which dials once more then.
        let unknown = [
            Meeting(run: 2, began: 2, heard: 3), Meeting(run: 2, began: 4, heard: 5),
            Meeting(run: 1, began: 0, heard: 6),
            Meeting(run: 2, began: 7, heard: 8), Meeting(run: 2, began: 9, heard: 10),
        ]
        let known = [
            Meeting(run: 1, began: 0, heard: 1), Meeting(run: 2, began: 3, heard: 4),
            Meeting(run: 1, began: 2, heard: 5),
            Meeting(run: 2, began: 6, heard: 7),
        ]
        for meetings in [unknown, known] { #expect(try admitted(meetings).allSatisfy { $0 }) }
    }

    @Test("a late Hello hides no copy: who comes back behind the other's next session is told")
    func lateHelloOfCopy() throws {
        let meetings = [
            Meeting(run: 2, began: 2, heard: 3), Meeting(run: 1, began: 0, heard: 4),
            Meeting(run: 2, began: 5, heard: 6),
            Meeting(run: 1, began: 7, heard: 8),
        ]
        #expect(try admitted(meetings) == [true, true, true, false])
    }

    @Test("who was told and goes on under another incarnation leaves the other alone")
    func told() throws {
        let meetings = [
            Meeting(run: 1, began: 0, heard: 1), Meeting(run: 2, began: 2, heard: 3),
            Meeting(run: 1, began: 4, heard: 5),
            Meeting(run: 1, began: 6, heard: 7, replica: 8), Meeting(run: 2, began: 8, heard: 9),
        ]
        #expect(try admitted(meetings) == [true, true, false, true, true])
    }
}

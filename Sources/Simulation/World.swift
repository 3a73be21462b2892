internal import Foundation
internal import Logging
internal import Node
internal import Replication
internal import Store

/// A whole province in one process on virtual time. One event after the other; nothing else runs.
///
/// Source: Protocols/simulation.md.
final class World {
    static let tickMilliseconds: Int64 = 5_000
    /// UTC milliseconds of virtual instant 0.
    static let start: Int64 = 1_800_000_000_000

    let configuration: SimulationConfiguration
    /// Where the disks are.
    let root: String
    let logger: Logger
    private(set) var now: Int64 = 0
    private(set) var steps = 0
    private var events = EventQueue()
    var trace = Trace()
    var offices: [Office] = []
    var connections: [Connection] = []
    /// Pairs of offices that do not reach each other, by index.
    var partitions: [Partition] = []
    var counts = Counts()
    var violation: Violation?
    var isHealed = false
    /// An administrator takes in what is parked.
    var isReleasing = false
    /// Every operation that was ever committed anywhere, by what it hashed to first.
    var truth: [Dot: ContentHash] = [:]
    var sites: [EntityID: Set<SiteCode>] = [:]
    /// Incarnations that two disks may have written under: a dot of theirs may have two contents for a while.
    var forked: Set<ReplicaID> = []
    /// Incarnations of nodes whose old sessions were played again: what they said then is not so any more.
    var replayed: Set<ReplicaID> = []
    /// Contents that nobody may take in.
    var forged: Set<ContentHash> = []
    /// Rows that changed on a disk when nobody else had a sound copy any more.
    var lost: Set<Dot> = []
    /// Own operations that have left a log to be issued again under another name.
    var takenOut: Set<Dot> = []
    /// Revocations that were written.
    var revocationCount = 0
    /// Incarnations whose end may be lost for good.
    var shortened: Set<ReplicaID> = []
    var hasher = ContentHasher()
    // Streams of random numbers, each for one matter.
    var network: SimulationRandom
    var identities: SimulationRandom
    var people: SimulationRandom
    var disks: SimulationRandom
    var faultStreams: [Fault: RandomStream] = [:]
    let provinceKey: [UInt8]
    let windowBytes: Int
    /// What is read of a feed at once: a few operations make a backlog of many batches.
    let batchBytes: Int
    /// The instant that the clock which never steps shows at virtual instant 0.
    let monotonicStart = ContinuousClock.now
    /// Hears what happens, for whoever looks for the cause of a violation.
    let log: ((String) -> Void)?

    init(_ configuration: SimulationConfiguration, root: String, log: ((String) -> Void)? = nil) {
        self.log = log
        self.configuration = configuration
        self.root = root
        var logger = Logger(label: "banjie.simulation") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        self.logger = logger
        let seed = configuration.seed
        network = SimulationRandom(seed: seed, stream: 2)
        identities = SimulationRandom(seed: seed, stream: 3)
        people = SimulationRandom(seed: seed, stream: 4)
        disks = SimulationRandom(seed: seed, stream: 5)
        for (index, fault) in Fault.allCases.enumerated() {
            faultStreams[fault] = RandomStream(seed: seed, stream: 100 + UInt64(index))
        }
        provinceKey = SimulationRandom(seed: seed, stream: 6).firstBytes(32)
        var windows = SimulationRandom(seed: seed, stream: 7)
        windowBytes = windows.pick([8 * 1024, 64 * 1024, SyncLimits.unacknowledgedBytesMax]) ?? 0
        batchBytes = windows.pick([1_024, 8 * 1024, SyncLimits.batchBytesMax]) ?? 0
    }

    // MARK: Time

    func wall(of office: Office) -> Int64 {
        let wall = Self.start + now + office.clockOffset
        office.latestWall = max(office.latestWall, wall)
        return wall
    }

    /// The clock that never steps.
    func instant(_ milliseconds: Int64) -> ContinuousClock.Instant {
        monotonicStart.advanced(by: .milliseconds(milliseconds))
    }

    func plan(at time: Int64, _ code: EventCode, _ office: Office?, _ body: @escaping () throws -> Void) {
        events.plan(at: max(time, now), code, office, body)
    }

    func plan(after delay: Int64, _ code: EventCode, _ office: Office?, _ body: @escaping () throws -> Void) {
        plan(at: now + delay, code, office, body)
    }

    /// Something to do with a store: takes a while on another thread, so that two of them may change places.
    func planJob(_ office: Office, _ body: @escaping () throws -> Void) {
        plan(after: disks.within(0...3), .job, office, body)
    }

    /// What a store has said comes back a while later, at times a long one.
    func planAnswer(_ office: Office, _ body: @escaping () throws -> Void) {
        plan(after: disks.within(0...(disks.chance(percent: 10) ? 60 : 3)), .job, office, body)
    }

    /// Carries out the next event.
    /// - Returns: false if nothing is planned any more, or an invariant is violated.
    func step() -> Bool {
        while violation == nil, let event = events.next() {
            now = max(now, event.at)
            if let office = event.office {
                guard office.process == event.process else { continue }
                if office.asleepUntil > now {
                    plan(at: office.asleepUntil, event.code, office, event.body)
                    continue
                }
            }
            steps += 1
            trace.mix(event.code.rawValue)
            trace.mix(UInt64(bitPattern: now) ^ UInt64(event.office?.index ?? 99) << 48)
            do {
                try event.body()
            } catch  where DiskFailure.isOne(error) {
                counts.diskFailures += 1
            } catch {
                fail(.unexpected, event.office, "\(event.code): \(error)")
            }
            return violation == nil
        }
        return false
    }

    // MARK: Notes

    func say(_ office: Office?, _ text: @autoclosure () -> String) {
        log?("\(steps) \(now) ms \(office?.name ?? "-"): \(text())")
    }

    func noteEnding(_ reason: String) {
        counts.endings[String(reason.prefix(60)), default: 0] += 1
    }

    func noteFailure(_ error: any Error, _ office: Office) {
        switch error {
        case StoreError.afterFailure, StoreError.unknownPeer: break
        case _ where DiskFailure.isOne(error): counts.diskFailures += 1
        case StoreError.outOfScope: fail(.unexpected, office, "\(error)")
        default: fail(.unexpected, office, "\(error)")
        }
    }

    func fail(_ invariant: Invariant, _ office: Office?, _ text: String) {
        guard violation == nil else { return }
        violation = Violation(
            invariant: invariant, text: text, office: office?.name, step: steps, virtualMilliseconds: now)
    }
}

extension SimulationRandom {
    func firstBytes(_ count: Int) -> [UInt8] {
        var copy = self
        return copy.bytes(count)
    }
}

/// Two offices that do not reach each other until an instant.
struct Partition {
    var left: Int
    var right: Int
    var until: Int64
}

/// What has happened, in numbers.
package struct Counts: Codable, Sendable {
    package var commands = 0
    package var refused = 0
    package var commits = 0
    package var sentOperations = 0
    package var sessions = 0
    package var audits = 0
    package var unresolved = 0
    package var conflictingHistories = 0
    package var recoveries = 0
    package var released = 0
    /// Calls of the store that threw for want of a disk.
    package var diskFailures = 0
    package var faults: [String: Int] = [:]
    package var endings: [String: Int] = [:]
}

/// What has to hold. Source: Protocols/simulation.md §4.
package enum Invariant: String, Codable, Sendable {
    /// What was acknowledged to a peer or a person is in the log and survives a crash.
    case acknowledgedIsDurable
    /// A dot names one operation, whoever holds it.
    case oneDotOneHash
    /// A row's bytes have the row's hash.
    case rowMatchesHash
    /// Nobody holds an operation of a ticket that his subtree takes no part in.
    case scope
    /// What came from a child was written in that child's subtree.
    case origin
    /// No clock runs further ahead of the wall than it may.
    case clock
    /// Queues and feeds within their bounds and without holes.
    case bounds
    /// Entities, tickets and measures are what the log gives.
    case projection
    /// What is shown is what the model gives.
    case model
    /// Once healed, child and parent hold the same of what they share.
    case convergence
    /// A batch carries everything that its feed has between its two places.
    case coverage
    /// Nothing lies parked for what is there.
    case parked
    /// Two histories of one incarnation are noticed.
    case fork
    /// Two processes of one incarnation are recognised.
    case clone
    /// Nothing happened that no rule foresees.
    case unexpected
}

package struct Violation: Codable, Sendable, Hashable {
    package var invariant: Invariant
    package var text: String
    package var office: String?
    package var step: Int
    package var virtualMilliseconds: Int64
}

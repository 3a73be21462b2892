internal import Foundation
internal import Node
internal import Replication
internal import Store

/// What a run has come to.
package struct SimulationReport: Codable, Sendable {
    package var configuration: SimulationConfiguration
    package var violation: Violation?
    /// Hash of everything that happened: the same for the same configuration, on every machine.
    package var trace: String
    package var steps: Int
    package var virtualMilliseconds: Int64
    /// From healing until the province was at rest.
    package var restMilliseconds: Int64
    package var operations: Int
    package var offices: Int
    package var counts: Counts
    package var seconds: Double
}

/// A run from start to end. Source: Protocols/simulation.md.
package enum Simulation {
    /// Steps between two looks at whole stores.
    static let lookSteps = 1_000
    /// Virtual time from healing until everything has to be everywhere.
    package static let restMillisecondsMax: Int64 = 20 * 60_000
    /// Steps that this may take: more is a livelock.
    package static let restStepsMax = 400_000
    /// When an administrator looks at what is parked.
    static let releaseMilliseconds: Int64 = 60_000
    /// After healing, if the province is not at rest: when the audit of the day comes.
    static let auditMilliseconds: Int64 = 300_000
    /// Between two looks whether the province is at rest.
    static let unrestMilliseconds: Int64 = 10_000

    /// - Parameter folder: for the disks; nil for one in memory where the system has one.
    package static func run(
        _ configuration: SimulationConfiguration, folder: String? = nil, progress: (Int) -> Void = { _ in },
        log: ((String) -> Void)? = nil
    ) throws -> SimulationReport {
        let began = Date()
        let root = try makeRoot(folder)
        defer { Disk.remove(root) }
        let world = World(configuration, root: root, log: log)
        defer { world.close() }
        try world.build()
        world.planFaults()
        var isRunning = true
        while isRunning, world.steps < configuration.steps {
            isRunning = world.step()
            if world.steps % lookSteps == 0 {
                progress(world.steps)
                let index = world.steps / lookSteps % world.offices.count
                world.look(at: world.offices[index], rebuilding: world.steps / lookSteps % 4 == 3)
            }
        }
        world.heal()
        let healedAt = world.now
        let rested = try comeToRest(world, since: healedAt)
        if world.violation == nil { world.finalLook() }
        return SimulationReport(
            configuration: configuration, violation: world.violation,
            trace: String(world.trace.hash, radix: 16), steps: world.steps, virtualMilliseconds: world.now,
            restMilliseconds: rested - healedAt, operations: world.truth.count, offices: world.offices.count,
            counts: world.counts, seconds: Date().timeIntervalSince(began))
    }

    /// - Returns: when the province was at rest, or had to be.
    private static func comeToRest(_ world: World, since healedAt: Int64) throws -> Int64 {
        let first = world.steps
        var nextLook = healedAt
        var hasAudited = false
        while world.violation == nil {
            if world.now >= nextLook {
                nextLook = world.now + unrestMilliseconds
                guard let unrest = world.unrest() else { break }
                if world.now - healedAt > releaseMilliseconds { world.releaseParked() }
                if !hasAudited, world.now - healedAt > auditMilliseconds {
                    hasAudited = true
                    try world.auditOmitted()
                }
                let since = world.offices.map(\.believesAt).reduce(healedAt, max)
                if world.now - since > restMillisecondsMax || world.steps - first > restStepsMax {
                    world.fail(.convergence, nil, "\(world.now - healedAt) ms after healing: \(unrest)")
                    break
                }
            }
            if !world.step(), world.violation == nil {
                world.fail(.convergence, nil, "nothing happens any more: \(world.unrest() ?? "at rest")")
            }
        }
        return world.now
    }

    private static func makeRoot(_ folder: String?) throws -> String {
        let memory = "/dev/shm"
        let parent =
            folder ?? (FileManager.default.isWritableFile(atPath: memory) ? memory : NSTemporaryDirectory())
        let root = "\(parent)/banjie-sim-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        return root
    }
}

extension World {
    /// The tree: a province, regions of up to four branches.
    func build() throws {
        let province = SiteCode(validated: "zj")
        var regions: [SiteCode] = []
        var branches = 0
        func add(_ site: SiteCode, _ parent: SiteCode?) -> Office {
            let office = Office(
                index: offices.count, site: site, parent: parent, folder: "", seed: configuration.seed)
            office.folder = office.newPath("disk", in: root)
            offices.append(office)
            return office
        }
        let first = add(province, nil)
        if configuration.hasTwoProvinces, configuration.nodes > 2 {
            add(province, nil).dialers = [Dialer(role: .sibling, targets: [first])]
        }
        while offices.count < configuration.nodes {
            // About one region for three branches.
            let isRegion = regions.isEmpty || branches >= 3 * regions.count
            let parents: [Office]
            let site: SiteCode
            if isRegion {
                site = SiteCode(validated: "r\(regions.count).zj")
                regions.append(site)
                let provinces = offices.filter(\.isProvince)
                parents = regions.count % 2 == 0 ? provinces.reversed() : provinces
            } else {
                let region = regions[branches % regions.count]
                let isSecond = configuration.hasTwoAtSite && branches == 1
                site =
                    isSecond ? SiteCode(validated: "b0.\(regions[0])") : SiteCode(validated: "b\(branches).\(region)")
                branches += 1
                let above = site.parent
                parents = offices.filter { $0.site == above }
            }
            add(site, site.parent).dialers = [Dialer(role: .parent, targets: parents)]
        }
        for office in offices { try start(office, creating: true) }
    }

    /// Lets go of everything, so that disks can be removed.
    func close() {
        for office in offices { end(office) }
    }
}

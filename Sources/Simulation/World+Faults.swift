internal import Foundation
internal import Node
internal import Replication
internal import Store

// What goes wrong. Every fault draws from its own stream.
extension World {
    /// Longest time that a machine sleeps or a line is cut.
    static let outageMilliseconds: Int64 = 40_000
    static let clockStepMilliseconds: Int64 = 30 * 86_400_000

    func planFaults() {
        for fault in configuration.faults { planFault(fault) }
        if configuration.faults.contains(where: { [.restore, .rollback].contains($0) }) { planKeeping() }
    }

    private func planFault(_ fault: Fault) {
        guard let stream = faultStreams[fault] else { return }
        let delay = stream.random.within(1...2 * fault.intervalMilliseconds / Int64(configuration.pace))
        plan(after: delay, .fault, nil) { [self] in
            guard !isHealed else { return }
            try strike(fault, &stream.random)
            planFault(fault)
        }
    }

    private func strike(_ fault: Fault, _ random: inout SimulationRandom) throws {
        guard let office = random.pick(offices) else { return }
        say(office, "\(fault)")
        // Those that find nothing to do take it back.
        counts.faults[fault.rawValue, default: 0] += 1
        func nothing() { counts.faults[fault.rawValue, default: 1] -= 1 }
        switch fault {
        case .cut: if let connection = random.pick(connections) { cut(connection) } else { nothing() }
        case .partition:
            guard let other = random.pick(offices), other !== office else { return nothing() }
            partitions.append(
                Partition(
                    left: office.index, right: other.index, until: now + random.within(500...Self.outageMilliseconds)))
            for connection in connections where !reaches(connection.dialer, connection.acceptor) { cut(connection) }
        case .oneWay:
            if !silence(random.pick(connections), fromDialer: random.chance(percent: 50)) { nothing() }
        // Drawn when a connection is made.
        case .slowLine: nothing()
        case .repeatedSession:
            guard office.replica != nil, let dialer = office.dialers.first, let end = dialer.end, !end.isOver,
                let target = dialer.targets.first(where: { $0 === end.connection.acceptor }), target.replica != nil
            else { return nothing() }
            dialer.end = try connect(office, target, role: dialer.role)
        case .crash: office.crash = office.crash ?? random.pick(CrashPoint.allCases)
        case .restart:
            if office.replica != nil { restart(office, after: random.within(10...20_000)) } else { nothing() }
        case .restore:
            // Those that have something to put back share the misfortune.
            let kept = offices.filter { !$0.backups.isEmpty }
            if try !restore(random.pick(kept) ?? office, &random) { nothing() }
        case .rollback:
            let kept = offices.filter { !$0.images.isEmpty }
            if try !rollBack(random.pick(kept) ?? office, &random) { nothing() }
        case .clone: if try !clone(office, &random) { nothing() }
        case .lostDisk: if try !lose(office, &random) { nothing() }
        case .clockStep:
            office.clockOffset =
                random.chance(percent: 30)
                ? 0 : random.within(-Self.clockStepMilliseconds...Self.clockStepMilliseconds)
        case .sleep: office.asleepUntil = now + random.within(1_000...Self.outageMilliseconds)
        // Counted when it hits something.
        case .badMemory:
            office.isMemoryBad = true
            nothing()
        case .flushFails:
            // Either the node sees it and goes on, or it ends and finds out.
            if random.chance(percent: 50) {
                office.isFlushFailing = true
            } else {
                office.crash = office.crash ?? random.pick([.duringCommit, .afterCommit])
            }
        case .diskFull: if try !fill(office, &random) { nothing() }
        case .bitRot: if try !rot(office, &random) { nothing() }
        case .replay: if try !replay(to: office, &random) { nothing() }
        case .revocation: if try !revoke(by: office, &random) { nothing() }
        case .hostile: if try !pose(at: office, &random) { nothing() }
        case .newKind: if try !writeNewKind(at: office, &random) { nothing() }
        case .oldVersion: if !age(office, &random) { nothing() }
        }
    }

    /// Both ends give up when nothing has come for the time that a connection may be idle.
    private func silence(_ connection: Connection?, fromDialer: Bool) -> Bool {
        guard let connection, !connection.isCut else { return false }
        connection[fromDialer: fromDialer].isSilent = true
        plan(after: 120_000, .fault, nil) { [self] in cut(connection) }
        return true
    }

    // MARK: Disks

    /// Now and then a copy of a disk, and a backup, are kept for later.
    private func planKeeping() {
        plan(after: disks.within(1_000...8_000), .fault, nil) { [self] in
            guard !isHealed else { return }
            if let office = disks.pick(offices), let replica = office.replica {
                let image = office.newPath("image", in: root)
                try Disk.copy(office.folder, to: image)
                office.images.append(Image(path: image, latestWall: office.latestWall))
                let backup = office.newPath("backup", in: root) + ".db"
                do {
                    _ = try replica.reader.backup(to: backup, now: wall(of: office)) { _, _ in }
                    office.backups.append(backup)
                } catch  where !office.damaged.isEmpty {
                    // None is made of what is damaged.
                    say(office, "no backup: \(error)")
                }
            }
            planKeeping()
        }
    }

    private func restore(_ office: Office, _ random: inout SimulationRandom) throws -> Bool {
        guard let backup = random.pick(office.backups), office.replica != nil else { return false }
        shorten(office)
        end(office)
        defer { boot(office, after: random.within(10...5_000)) }
        do {
            _ = try Store.restore(
                DataFolder(path: office.folder), from: backup, site: office.site, isForced: false,
                stamp: "\(now)-\(office.folderNumber)", progress: { _, _ in })
            return true
        } catch  where !office.everDamaged.isEmpty {
            // A backup of what was damaged then is not taken.
            office.backups.removeAll { $0 == backup }
            return false
        }
    }

    private func rollBack(_ office: Office, _ random: inout SimulationRandom) throws -> Bool {
        guard office.replica != nil, let image = random.pick(office.images) else { return false }
        shorten(office)
        fork(office)
        let former = office.folder
        end(office)
        let path = office.newPath("disk", in: root)
        try Disk.copy(image.path, to: path)
        // Of some machines only the database is put back.
        if random.chance(percent: 50) { try Disk.replaceEpoch(in: path, by: former) }
        Disk.remove(former)
        office.folder = path
        boot(office, after: random.within(10...5_000))
        return true
    }

    private func lose(_ office: Office, _ random: inout SimulationRandom) throws -> Bool {
        guard office.replica != nil, !office.isProvince else { return false }
        shorten(office)
        end(office)
        Disk.remove(office.folder)
        // Nobody else's row can be healed from it any more.
        office.log = LogModel()
        office.folder = office.newPath("disk", in: root)
        for path in office.images.map(\.path) + office.backups { Disk.remove(path) }
        (office.images, office.backups) = ([], [])
        office.isBooting = true
        plan(after: random.within(10...5_000), .boot, office) { [self] in
            if office.replica == nil { try start(office, creating: true) }
        }
        return true
    }

    /// From now on there are two of it.
    private func clone(_ office: Office, _ random: inout SimulationRandom) throws -> Bool {
        guard office.replica != nil, !office.isProvince, offices.count < 2 * configuration.nodes else { return false }
        fork(office)
        shorten(office)
        let copy = Office(
            index: offices.count, site: office.site, parent: office.parent, folder: "", seed: configuration.seed)
        copy.folder = copy.newPath("disk", in: root)
        copy.isClone = true
        copy.everDamaged = office.everDamaged
        copy.latestWall = office.latestWall
        copy.clockOffset = office.clockOffset
        if random.chance(percent: 60) { copy.machine = office.machine }
        try Disk.copy(office.folder, to: copy.folder)
        copy.dialers = office.dialers.filter { $0.role == .parent }.map { Dialer(role: $0.role, targets: $0.targets) }
        offices.append(copy)
        boot(copy, after: random.within(10...20_000))
        return true
    }

    /// What the present incarnation has written last may be nowhere any more.
    private func shorten(_ office: Office) {
        if let replica = office.replica { shortened.insert(replica.identity.replica) }
        for replica in office.writtenUnder { shortened.insert(replica) }
    }

    /// Two disks may write under the incarnations of this one.
    private func fork(_ office: Office) {
        if let replica = office.replica { forked.insert(replica.identity.replica) }
        for replica in office.writtenUnder { forked.insert(replica) }
    }

    // MARK: Healing

    /// Everything works again, and nobody writes any more.
    func heal() {
        isHealed = true
        partitions = []
        for office in offices {
            office.asleepUntil = 0
            office.crash = nil
            office.isMemoryBad = false
            office.isFlushFailing = false
            emptied(office)
            if !office.everDamaged.isEmpty { planScrub(office, after: 1_000) }
            if office.speaksFormerVersion { planUpgrade(office, after: 1_000) }
            if office.replica == nil, !office.isBooting { boot(office, after: 1_000) }
        }
        for connection in connections {
            connection.latency = min(connection.latency, 40)
            connection.rate = 10_000
            if connection.up.isSilent || connection.down.isSilent { cut(connection) }
        }
    }
}

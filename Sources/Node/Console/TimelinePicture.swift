internal import Replication
internal import ServiceLevels
internal import Tickets

/// A ticket's way as a picture: a lane for each department, steps as bars in the colour of their verdict, transfers as
/// arrows with the time on the line hatched, and marks for what people did.
///
/// Long gaps are drawn shorter: between two neighbouring instants the width grows with the logarithm of the time, so
/// that a step of five minutes stays visible beside a night. The instants under the axis say what is what.
struct TimelinePicture {
    struct Lane {
        var name: String
        var site: String
        var y: Int
        var textY: Int
        var siteY: Int
        var isOdd: Bool
        var height: Int
    }

    struct Segment {
        var x: Int
        var y: Int
        var width: Int
        var height: Int
        var level: String
        var title: String
    }

    struct Arrow {
        var x: Int
        var fromY: Int
        var toX: Int
        var toY: Int
        var title: String
        var isLost: Bool
    }

    struct Mark {
        var x: Int
        var y: Int
        var kind: String
        var letter: String
        var title: String
        var textY: Int
    }

    struct Tick {
        var x: Int
        var bottom: Int
        var textY: Int
        var text: String
        var anchor: String
    }

    static let width = 1_000
    private static let left = 176
    private static let right = 40
    private static let top = 12
    private static let laneHeight = 46
    private static let tickGap = 92

    var width = Self.width
    var height = 0
    var laneWidth = Self.width
    var left = Self.left
    var axisY = 0
    var lanes: [Lane] = []
    var segments: [Segment] = []
    var arrows: [Arrow] = []
    var marks: [Mark] = []
    var ticks: [Tick] = []
    var description = ""

    private struct Holder: Hashable {
        var site: SiteCode
        var department: String
    }

    private var order: [Holder] = []
    private var instants: [Int64] = []
    private var offsets: [Int] = []

    /// Nil while the operation that opened the ticket has not arrived.
    init?(summary: TicketSummary, level: ServiceLevelStatus, words: ConsoleWords, now: Int64) {
        guard !summary.path.isEmpty else { return nil }
        let path = summary.path.suffix(ConsoleLimits.pictureMarksMax)
        let end = summary.status == .closed ? max(summary.lastChange, summary.path.last?.since ?? 0) : now
        for custody in path {
            let holder = Holder(site: custody.site, department: custody.department)
            if !order.contains(holder), order.count < ConsoleLimits.pictureLanesMax { order.append(holder) }
        }
        for (_, candidate) in Self.losers(summary) {
            let holder = Holder(site: candidate.site, department: candidate.department)
            if !order.contains(holder), order.count < ConsoleLimits.pictureLanesMax { order.append(holder) }
        }
        layTime(summary, path: path, end: end)
        layLanes(words)
        addSteps(level, words, end: end)
        addTransfers(Array(path), words, end: end)
        addLosers(summary, words)
        addMarks(Array(path), summary, words)
        addTicks(words)
        description = words.filled("picture_description", String(order.count))
    }

    private mutating func layTime(_ summary: TicketSummary, path: ArraySlice<Custody>, end: Int64) {
        var all: Set<Int64> = [end]
        for custody in path {
            for instant in [custody.since, custody.delivered, custody.accepted, custody.replied, custody.left] {
                if let instant { all.insert(instant) }
            }
        }
        for cycle in summary.cycles.suffix(10) {
            for instant in [cycle.start, cycle.fedBack, cycle.closed] {
                if let instant { all.insert(instant) }
            }
        }
        for chase in summary.chases.suffix(30) { all.insert(chase.at) }
        for (_, candidate) in Self.losers(summary) { all.insert(candidate.at) }
        instants = all.sorted().suffix(ConsoleLimits.pictureMarksMax * 4)
        var weights: [Double] = [0]
        for (earlier, later) in zip(instants, instants.dropFirst()) {
            weights.append(weights[weights.count - 1] + Self.weight(later - earlier))
        }
        let whole = max(weights.last ?? 1, 1e-9)
        let space = Double(Self.width - Self.left - Self.right)
        offsets = weights.map { Self.left + Int($0 / whole * space) }
    }

    private static func weight(_ milliseconds: Int64) -> Double {
        // log2(1 + minutes), and something for moments that differ at all.
        var value = 1 + Double(milliseconds) / 60_000
        var logarithm = 0.0
        while value > 2 {
            value /= 2
            logarithm += 1
        }
        return 0.15 + logarithm + (value - 1)
    }

    private func x(_ instant: Int64) -> Int {
        guard let last = instants.last, let first = instants.first else { return Self.left }
        if instant <= first { return offsets[0] }
        if instant >= last { return offsets[offsets.count - 1] }
        let upper = instants.firstIndex { $0 >= instant } ?? instants.count - 1
        let (from, to) = (instants[upper - 1], instants[upper])
        let part = Double(instant - from) / Double(max(1, to - from))
        return offsets[upper - 1] + Int(Double(offsets[upper] - offsets[upper - 1]) * part)
    }

    private func middle(_ site: SiteCode, _ department: String) -> Int? {
        order.firstIndex(of: Holder(site: site, department: department)).map {
            Self.top + $0 * Self.laneHeight + Self.laneHeight / 2
        }
    }

    private mutating func layLanes(_ words: ConsoleWords) {
        for (index, holder) in order.enumerated() {
            let y = Self.top + index * Self.laneHeight
            lanes.append(
                Lane(
                    name: Self.short(words.department(holder.department)), site: Self.short(holder.site.rawValue), y: y,
                    textY: y + 20, siteY: y + 36, isOdd: index % 2 == 1, height: Self.laneHeight))
        }
        axisY = Self.top + order.count * Self.laneHeight
        height = axisY + 26
    }

    private static func short(_ text: String) -> String {
        // A Han character is as wide as two letters.
        var width = 0
        for (index, character) in text.enumerated() {
            width += character.isASCII ? 1 : 2
            if width > 22 { return text.prefix(max(0, index - 1)) + "…" }
        }
        return text
    }

    private mutating func addSteps(_ level: ServiceLevelStatus, _ words: ConsoleWords, end: Int64) {
        for verdict in level.verdicts.suffix(ConsoleLimits.pictureMarksMax) {
            guard case .step = verdict.subject, let y = middle(verdict.site, verdict.department) else { continue }
            let from = x(verdict.started)
            let to = x(verdict.ended ?? end)
            let bar = words.bar(verdict, now: end)
            segments.append(
                Segment(
                    x: from, y: y - 7, width: max(2, to - from), height: 14, level: bar.level,
                    title: "\(words.subject(verdict.subject)) · \(words.duration(verdict.elapsedMilliseconds)) / "
                        + "\(words.duration(verdict.limitMilliseconds)) · \(words.verdict(verdict.state))"))
        }
    }

    private mutating func addTransfers(_ path: [Custody], _ words: ConsoleWords, end: Int64) {
        for custody in path {
            guard let variant = custody.variant, let toY = middle(custody.site, custody.department),
                let before = path.first(where: { $0.id == custody.parent }),
                let fromY = middle(before.site, before.department)
            else { continue }
            let sent = x(custody.since)
            let arrived = x(custody.delivered ?? end)
            let link = words.duration((custody.delivered ?? end) - custody.since)
            let title =
                "\(words.variant(variant)) → \(words.department(custody.department)) · \(custody.site) · "
                + words.filled("link_took", link)
            if arrived > sent + 1 {
                segments.append(
                    Segment(x: sent, y: toY - 7, width: arrived - sent, height: 14, level: "hatched", title: title))
            }
            let gap = toY > fromY ? 9 : -9
            arrows.append(
                Arrow(
                    x: sent, fromY: fromY + gap, toX: sent, toY: toY - gap - (toY > fromY ? 4 : -4), title: title,
                    isLost: custody.delivered == nil))
        }
    }

    /// Transfers that lost against another one and still wait for a settlement.
    private static func losers(
        _ summary: TicketSummary
    ) -> [(parent: Dot, candidate: ContestedTransfer.Candidate)] {
        summary.contested.suffix(5).filter { !$0.isSettled }.flatMap { contest in
            contest.candidates.prefix(8).filter { $0.dot != contest.winner }.map { (contest.parent, $0) }
        }
    }

    private mutating func addLosers(_ summary: TicketSummary, _ words: ConsoleWords) {
        for (parent, candidate) in Self.losers(summary) {
            guard let before = summary.path.first(where: { $0.id == parent }),
                let fromY = middle(before.site, before.department),
                let toY = middle(candidate.site, candidate.department), toY != fromY
            else { continue }
            let gap = toY > fromY ? 9 : -9
            arrows.append(
                Arrow(
                    x: x(candidate.at), fromY: fromY + gap, toX: x(candidate.at), toY: toY,
                    title: "\(words["badge_contested"]) · \(words.department(candidate.department)) · "
                        + "\(candidate.site) · \(candidate.author)",
                    isLost: true))
        }
    }

    private mutating func addMarks(_ path: [Custody], _ summary: TicketSummary, _ words: ConsoleWords) {
        func mark(_ instant: Int64?, _ kind: String, _ holder: Custody?, _ text: String) {
            guard let instant, let holder, let y = middle(holder.site, holder.department),
                marks.count < ConsoleLimits.pictureMarksMax
            else { return }
            marks.append(
                Mark(
                    x: x(instant), y: y, kind: kind, letter: words["mark_\(kind)"],
                    title: "\(text) · \(words.time(instant))", textY: y + 4))
        }
        for custody in path {
            if custody.variant == nil { mark(custody.since, "open", custody, words["kind_open"]) }
            if custody.variant != nil, !custody.isReceiptMissing {
                mark(custody.delivered, "receipt", custody, words["kind_delivered"])
            }
            mark(custody.accepted, "accept", custody, words["kind_accept"])
            mark(custody.replied, "reply", custody, words["kind_reply"])
        }
        for (index, cycle) in summary.cycles.enumerated() {
            let root = path.first { $0.cycle == index }
            mark(cycle.fedBack, "feedback", root, words["kind_feedback"])
            mark(cycle.closed, "close", root, words["kind_close"])
        }
        for chase in summary.chases.suffix(30) {
            mark(chase.at, "chase", path.first { $0.id == chase.custody } ?? path.last, words["kind_chase"])
        }
    }

    private mutating func addTicks(_ words: ConsoleWords) {
        var last = Int.min / 2
        var reference: Int64 = 0
        for (index, instant) in instants.enumerated() {
            let x = offsets[index]
            guard x - last >= Self.tickGap else { continue }
            ticks.append(
                Tick(
                    x: x, bottom: axisY, textY: axisY + 18,
                    text: reference == 0
                        ? String(words.time(instant).dropFirst(5)) : words.shortTime(instant, near: reference),
                    anchor: x > Self.width - Self.right - 40 ? "end" : "middle"))
            reference = instant
            last = x
        }
    }
}

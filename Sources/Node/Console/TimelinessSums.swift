internal import Assessment
internal import ServiceLevels
internal import Store
internal import Tickets

extension TimelinessPages {
    /// Counts by one key.
    struct Sums {
        enum Key: String, CustomStringConvertible {
            case site, department, step

            var description: String { rawValue }
        }

        struct Count {
            var met = 0
            var late = 0
            var overdue = 0
            var uncertain = 0
            var elapsedMilliseconds: Int64 = 0
        }

        let key: Key
        private var counts: [String: Count] = [:]

        init(key: Key) {
            self.key = key
        }

        mutating func add(_ measure: MeasureRow) {
            let index = key == .site ? 0 : key == .department ? 1 : 2
            var count = counts[measure.keys[index], default: Count()]
            count.met += measure.met
            count.late += measure.late
            count.uncertain += measure.uncertain
            count.elapsedMilliseconds += measure.elapsedMilliseconds
            counts[measure.keys[index]] = count
        }

        mutating func add(_ entry: Overdue) {
            let name = key == .site ? entry.site : key == .department ? entry.department : String(entry.step)
            counts[name, default: Count()].overdue += 1
        }

        func rows(_ choice: Choice, _ words: ConsoleWords) -> [Row] {
            counts.sorted { $0.key < $1.key }.map { name, count in row(name, count, choice, words) }
        }

        private func row(_ name: String, _ count: Count, _ choice: Choice, _ words: ConsoleWords) -> Row {
            let due = count.met + count.late + count.overdue
            let ended = count.met + count.late + count.uncertain
            let percent = due == 0 ? 0 : count.met * 100 / due
            func href(_ outcome: String) -> String {
                "/timeliness/tickets?" + FormFields.query(choice.query + [(key.rawValue, name), ("outcome", outcome)])
            }
            return Row(
                name: label(name, words), detail: key == .department ? name : nil,
                rate: words.rate(count.met, of: due),
                bar: Bar(percent: percent, level: due == 0 ? "none" : Self.level(percent), text: ""),
                met: count.met, late: count.late, overdue: count.overdue, uncertain: count.uncertain,
                mean: ended == 0 ? "—" : words.duration(count.elapsedMilliseconds / Int64(ended)),
                metHref: href("met"), lateHref: href("late"), overdueHref: href("overdue"),
                uncertainHref: href("uncertain"))
        }

        /// Colours only; what rate an office has to reach is not decided here.
        private static func level(_ percent: Int) -> String {
            percent >= 90 ? "ok" : percent >= 75 ? "warn" : "over"
        }

        private func label(_ name: String, _ words: ConsoleWords) -> String {
            switch key {
            case .site: name
            case .department: words.department(name)
            case .step:
                LimitSubject.allSteps.first { String($0.measureCode) == name }.map { words.subject($0) } ?? name
            }
        }
    }
}

extension LimitSubject {
    static let allSteps = Step.allCases.map { LimitSubject.step($0) }
}

internal import Tickets

/// Durations in a department's working time; without working hours, in plain time.
///
/// Source: Protocols/service-levels.md §4.
enum WorkingTime {
    static let daysMax = 366
    private static let dayMilliseconds: Int64 = 86_400_000

    /// The instant at which `milliseconds` of working time have passed since `start`.
    /// - Returns: nil if no working time is left within 366 days. O(days spanned).
    static func instant(_ milliseconds: Int64, after start: Int64, in hours: WorkingHours?) -> Int64? {
        guard let hours, hours.isValid else { return start + milliseconds }
        var rest = milliseconds
        let first = day(of: start, hours)
        for day in first...(first + Int64(daysMax)) {
            guard let (from, to) = window(day, hours), to > start else { continue }
            let begin = max(from, start)
            if begin + rest <= to { return begin + rest }
            rest -= to - begin
        }
        return nil
    }

    /// Working time between two instants, `start` ≤ `end`. O(days spanned), at most 366.
    static func elapsed(from start: Int64, to end: Int64, in hours: WorkingHours?) -> Int64 {
        guard let hours, hours.isValid else { return end - start }
        var sum: Int64 = 0
        let first = day(of: start, hours)
        for day in first...max(first, min(day(of: end, hours), first + Int64(daysMax))) {
            guard let (from, to) = window(day, hours) else { continue }
            sum += max(0, min(to, end) - max(from, start))
        }
        return sum
    }

    private static func day(of instant: Int64, _ hours: WorkingHours) -> Int64 {
        let local = instant + Int64(hours.utcOffsetMinutes) * 60_000
        return local >= 0 ? local / dayMilliseconds : (local - dayMilliseconds + 1) / dayMilliseconds
    }

    /// Begin and end of a day's work in UTC milliseconds. Day 0, the first of 1970, was a Thursday.
    private static func window(_ day: Int64, _ hours: WorkingHours) -> (Int64, Int64)? {
        guard !hours.holidays.contains(Int(day)), let work = hours.week[Int(((day + 3) % 7 + 7) % 7)] else {
            return nil
        }
        let midnight = day * dayMilliseconds - Int64(hours.utcOffsetMinutes) * 60_000
        return (midnight + Int64(work.fromMinute) * 60_000, midnight + Int64(work.toMinute) * 60_000)
    }
}

internal import Synchronization

/// Counts failed log-ins by account and by address.
///
/// An attempt counts as failed from its beginning and is taken back when it succeeds, so that a hundred attempts at
/// the same time are not a hundred tries. An account that does not exist is counted like one that does.
final class LoginGuard: Sendable {
    enum Key: Hashable {
        case account(String)
        case address(String)
    }

    private let failures = Mutex<[Key: [Int64]]>([:])

    /// - Parameter now: milliseconds of a clock that never steps.
    /// - Returns: nil if the attempt may be made; otherwise the milliseconds until the next one may.
    func begin(account: String, address: String, now: Int64) -> Int64? {
        failures.withLock { failures in
            let keys = [Key.account(account), .address(address)]
            var wait: Int64?
            for key in keys {
                let recent = (failures[key] ?? []).filter { now - $0 < ConsoleLimits.loginWindowMilliseconds }
                failures[key] = recent.isEmpty ? nil : recent
                if recent.count >= ConsoleLimits.loginFailuresMax {
                    let release =
                        recent[recent.count - ConsoleLimits.loginFailuresMax]
                        + ConsoleLimits.loginWindowMilliseconds
                    wait = max(wait ?? 0, release - now)
                }
            }
            guard wait == nil else { return wait }
            if failures.count + keys.count > ConsoleLimits.loginKeysMax { Self.makeRoom(&failures, now: now) }
            for key in keys { failures[key, default: []].append(now) }
            return nil
        }
    }

    /// Takes the attempt back, and the account's earlier failures with it.
    func succeed(account: String, address: String) {
        failures.withLock { failures in
            failures[.account(account)] = nil
            let rest = (failures[.address(address)] ?? []).dropLast()
            failures[.address(address)] = rest.isEmpty ? nil : Array(rest)
        }
    }

    /// Forgets what is over, and if that is not enough the older half of the rest.
    private static func makeRoom(_ failures: inout [Key: [Int64]], now: Int64) {
        failures = failures.filter { now - ($0.value.last ?? 0) < ConsoleLimits.loginWindowMilliseconds }
        guard failures.count + 2 > ConsoleLimits.loginKeysMax else { return }
        let latest = failures.values.compactMap(\.last).sorted()
        let median = latest[latest.count / 2]
        failures = failures.filter { ($0.value.last ?? 0) > median }
    }
}

/// Waits for what other tasks bring about, by polling; ends as soon as it holds.
/// - Throws: `Timeout` if it does not come about.
public func eventually(
    _ what: String, within seconds: Double = 60, _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    while try await !condition() {
        guard clock.now < end else { throw Timeout(what: what) }
        // The thread goes to what is waited for.
        try await Task.sleep(for: .milliseconds(2))
    }
}

public struct Timeout: Error, CustomStringConvertible {
    let what: String
    public var description: String { "did not come about in time: \(what)" }

    public init(what: String) { self.what = what }
}

internal import Synchronization
internal import Tickets

/// Long tasks of a node and how far they are. One of a kind at a time; the last few that have ended are remembered.
final class JobTable: Sendable {
    static let rememberedMax = 32

    private struct State {
        var next = 1
        var jobs: [JobState] = []
    }

    private let state = Mutex(State())

    /// Starts a job and returns at once.
    /// - Parameter body: gets a function to report progress with; returns what it has made, by name.
    /// - Throws: `.jobRunning` if one of the kind is under way.
    func start(
        _ kind: String, language: Language,
        _ body:
            @escaping @Sendable (_ progress: @escaping @Sendable (Int, Int) -> Void) async throws -> [String: String]
    ) throws -> JobState {
        let job = try state.withLock { state throws(APIFailure) in
            guard !state.jobs.contains(where: { $0.kind == kind && !$0.isFinished }) else {
                throw .jobRunning(kind)
            }
            let job = JobState(id: "\(state.next)", kind: kind, done: 0, total: 0, isFinished: false)
            state.next += 1
            state.jobs.append(job)
            while state.jobs.count > Self.rememberedMax, let ended = state.jobs.firstIndex(where: \.isFinished) {
                state.jobs.remove(at: ended)
            }
            return job
        }
        Task {
            do {
                let result = try await body { done, total in
                    self.update(job.id) { ($0.done, $0.total) = (done, total) }
                }
                update(job.id) { ($0.result, $0.isFinished) = (result, true) }
            } catch {
                update(job.id) { ($0.error, $0.isFinished) = (APIError(error, language), true) }
            }
        }
        return job
    }

    func job(_ id: String) -> JobState? {
        state.withLock { $0.jobs.first { $0.id == id } }
    }

    private func update(_ id: String, _ change: (inout JobState) -> Void) {
        state.withLock { state in
            guard let index = state.jobs.firstIndex(where: { $0.id == id }) else { return }
            change(&state.jobs[index])
        }
    }
}

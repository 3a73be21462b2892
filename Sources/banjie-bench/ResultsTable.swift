internal import Foundation

extension Results {
    /// A line for each figure, with the smallest and the largest of those that repeat.
    func table() -> String {
        let output = output
        var lines: [String] = []
        if let facts = output.workload {
            lines.append(
                "\(facts.operations) operations on \(facts.tickets) tickets, payload "
                    + String(format: "%.1f bytes, seed \(facts.seed), %d rounds", facts.payloadBytesMean, facts.rounds))
        }
        if let reference = output.reference {
            lines.append(
                Self.name("reference")
                    + String(
                        format: "%8.0f operations/s [%.0f..%.0f], %.1f µs of processor",
                        reference.operationsPerSecond, reference.spread.min, reference.spread.max,
                        reference.cpuMicrosecondsPerOperation))
        }
        lines += sync(output)
        if let batch = output.batchImport {
            lines.append(
                Self.row("batch", batch.spread, Self.processor(batch.cpuMicrosecondsPerOperation)))
        }
        if let single = output.singleCommit {
            lines.append(
                Self.row("single", single.spread, Self.processor(single.cpuMicrosecondsPerOperation)))
        }
        if let postgres = output.postgres {
            lines.append(
                Self.row(
                    "to PostgreSQL", postgres.spread,
                    String(format: "as it streams, %.0f operations/s", postgres.operationsPerSecond.median)))
            lines.append(
                Self.row(
                    "", postgres.spreadBacklog,
                    String(format: "as a backlog, %.0f operations/s", postgres.backlogOperationsPerSecond.median)))
        }
        if let sealing = output.sealing {
            lines.append(
                Self.name("sealing")
                    + String(
                        format:
                            "%+.1f %% of a merge's processor time [%+.1f..%+.1f], %.1f instead of %.1f µs an operation",
                        sealing.mergeShare * 100, sealing.spread.min * 100, sealing.spread.max * 100,
                        sealing.sealedMicrosecondsPerOperation, sealing.clearMicrosecondsPerOperation))
        }
        lines += catchUp(output) + backlogs(output) + idle(output) + hostile(output)
        return (lines + remarks).joined(separator: "\n")
    }

    private func sync(_ output: Output) -> [String] {
        guard let sync = output.sync, let memory = output.memory else { return [] }
        return [
            Self.row(
                "sync, durable", sync.spread,
                String(
                    format: "%.1f + %.1f µs of processor at sender and receiver",
                    sync.senderCpuMicrosecondsPerOperation, sync.receiverCpuMicrosecondsPerOperation)),
            Self.row("sync, searchable", sync.spreadSearchable),
            Self.row("sync, checkpointed", sync.spreadCheckpointed),
            Self.name("")
                + String(
                    format: "%.1f bytes on the wire (%.1f if every batch stood alone), %.0f on disk an operation",
                    sync.wireBytesPerOperation, sync.wireBytesPerOperationAlone, sync.diskBytesPerOperation),
            Self.name("")
                + String(
                    format: "peak %.1f MiB (sender %.1f, before %.1f)", memory.peakMiB ?? 0, memory.senderPeakMiB ?? 0,
                    memory.receiverAtStartMiB ?? 0),
        ]
    }

    private func catchUp(_ output: Output) -> [String] {
        guard let catchUp = output.catchUp else { return [] }
        func milliseconds(_ spread: Spread) -> String {
            String(format: "%.2f ms [%.2f..%.2f]", spread.median, spread.min, spread.max)
        }
        return [
            "catching up \(catchUp.operations) operations, \(catchUp.repetitions) repetitions; here less is better",
            Self.row(
                "  to bare SQL", catchUp.spreadToBareSQL,
                "\(milliseconds(catchUp.milliseconds)) on \(catchUp.base), bare \(milliseconds(catchUp.millisecondsBareSQL))"
            ),
            Self.row(
                "  large to small", catchUp.spreadLargeToSmall,
                "\(milliseconds(catchUp.millisecondsSmall)) on \(catchUp.smallBase)"),
            Self.name("") + "with the author's own commit \(milliseconds(catchUp.millisecondsWithOwnCommit))",
        ]
    }

    private func backlogs(_ output: Output) -> [String] {
        (output.memory?.backlogs ?? []).map { backlog in
            Self.name("backlog")
                + String(
                    format: "%d operations in %.1f s: peak %.1f MiB (receiver %.1f, sender %.1f; ", backlog.operations,
                    backlog.seconds, backlog.peakMiB, backlog.receiverPeakMiB, backlog.senderPeakMiB)
                + String(format: "of the receiver's %.1f anonymous); ", backlog.receiverAnonymousPeakMiB)
                + String(
                    format: "meanwhile durable after %.0f ms [%.0f..%.0f] of %d", backlog.liveMilliseconds.median,
                    backlog.liveMilliseconds.min, backlog.liveMilliseconds.max, backlog.liveCount)
        }
    }

    private func idle(_ output: Output) -> [String] {
        guard let idle = output.idleConnection else { return [] }
        return [
            Self.name("idle connection")
                + String(
                    format: "%.1f KiB [%.1f..%.1f] of %d; the parent %.1f MiB before, %.1f after", idle.kibibytes,
                    idle.spread.min, idle.spread.max, idle.connections, idle.parentBeforeMiB, idle.parentAfterMiB)
        ]
    }

    private func hostile(_ output: Output) -> [String] {
        guard let hostile = output.hostile else { return [] }
        func line(_ name: String, _ attack: Hostile.Attack, _ rest: String) -> String {
            Self.row(
                name, attack.slowdown,
                String(
                    format: "as long; %+.1f MiB [%.1f..%.1f]; ", attack.extraMiB.median, attack.extraMiB.min,
                    attack.extraMiB.max) + rest)
        }
        return [
            line(
                "half-open", hostile.halfOpen,
                "\(Hostile.handshakes) handshakes at a time, \(hostile.halfOpen.connections) in all"),
            line(
                "control frames", hostile.controlFrames,
                "\(hostile.controlFrames.frames) over \(hostile.controlFrames.connections) connections"),
        ]
    }

    private static func name(_ text: String) -> String { text.padding(toLength: 20, withPad: " ", startingAt: 0) }

    private static func row(_ name: String, _ spread: Spread, _ rest: String = "") -> String {
        Self.name(name) + String(format: "× %.2f [%.2f..%.2f] ", spread.median, spread.min, spread.max) + rest
    }

    private static func processor(_ microseconds: Double) -> String {
        String(format: "%.1f µs of processor", microseconds)
    }
}

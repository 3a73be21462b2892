/// Faults that tests put into the program to see whether the simulator finds them. In a release build nothing is left
/// of them: `isActive` is a constant.
///
/// Source: Protocols/simulation.md §6.
package enum PlantedBug: String, CaseIterable, Sendable {
    /// A peer is told that a batch is durable when it is queued.
    case acknowledgesBeforeCommit
    /// The live lane is read from one position behind the cursor.
    case cursorOffByOne
    /// A child that comes into a ticket's scope is not noticed.
    case scopeEntryMissed
    /// A child that comes into a ticket's scope gets what follows and not what was before.
    case historyNotSent
    /// A child's feed has what it takes no part in.
    case childGetsEverything
    /// Now and then a row of the last child's feed is left out.
    case feedRowSkipped
    /// A child does not get what came from another node of its site.
    case siblingNodeLeftOut
    /// That a child takes part is known in memory only.
    case memberNotStored
    /// The length of a feed is not stored.
    case feedLengthNotSaved
    /// A child that has nothing gets a feed from its end on.
    case feedNotFilled
    /// A region does not pass on what its branches write.
    case relayForgotten
    /// News that came while the feed was read is not read on.
    case newsForgotten
    /// A batch's operations are not compared with its digest.
    case hashNotChecked
    /// What is stored already counts in the digest again.
    case duplicatesCountTwice
    /// The prefix of a replica goes on over a hole.
    case prefixJumpsHole
    /// What waited for its replica's announcement stays parked.
    case parkedStays
    /// Where the projection stands is not stored.
    case projectionCursorForgotten
    /// What an entity's row holds is folded once more after a crash.
    case replayCountsTwice
    /// Measures are added and never taken back.
    case rollupOnlyGrows
    /// An audit leaves out the last entity that differs.
    case auditSkipsLast
    /// An audit does not fetch what it finds missing.
    case auditDoesNotFetch
    /// Of concurrent values one is forgotten.
    case registerForgetsConcurrent
    /// A write that has seen others does not end them.
    case resolvedConflictStays
    /// A closing wins over a reopening at the same time.
    case closeWinsOverReopen
    /// Twins are not told of each other's sites.
    case twinScopeNotShared
    /// A timestamp from far ahead moves the clock.
    case clockFollowsFuture
    /// Each receipt is written twice.
    case receiptsTwice
    /// The first operation after a start has the sequence of the last before it.
    case sequenceRepeatsAfterStart
    /// What a fork has cut off is not issued again.
    case reissueForgotten
    /// Another history of this store is not noticed.
    case forkNotNoticed
    /// Two processes of one incarnation are both taken for the only one.
    case cloneAdmitted

    #if PLANTED_BUGS
        /// Of the present task and what it calls.
        @TaskLocal package static var active: PlantedBug?

        package var isActive: Bool { Self.active == self }
    #else
        @inlinable package var isActive: Bool { false }
    #endif
}

internal import CMalloc

/// When memory that connections have left behind goes back to the system. A handshake takes several times what the link
/// keeps, and who does not allocate is not seen by the allocator, which gives pages back in passing.
struct MemoryTrim {
    /// Ticks in a row that bring no link and lose none.
    static let quietTicks = 2

    private var links = 0
    private var quiet = 0

    /// - Parameter links: how many there are with this tick.
    /// - Returns: true once after each change of their number, when it has settled.
    mutating func isDue(links: Int) -> Bool {
        guard links == self.links else {
            self.links = links
            quiet = 0
            return false
        }
        quiet = min(quiet + 1, Self.quietTicks + 1)
        return quiet == Self.quietTicks
    }

    /// Gives back whole pages that nobody uses. A few milliseconds; holds up who allocates meanwhile.
    static func giveBack() {
        // 4096 stands for all arenas.
        _ = mallctl("arena.4096.purge", nil, nil, nil, 0)
    }
}

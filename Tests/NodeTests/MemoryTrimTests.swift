@testable import Node
import Testing

struct MemoryTrimTests {
    @Test("memory goes back once after the number of links has settled, however it changed")
    func onceBehindEachChange() {
        var trim = MemoryTrim()
        func ticks(_ links: Int, _ count: Int) -> Int { (0..<count).count { _ in trim.isDue(links: links) } }
        #expect(ticks(1, 1) == 0, "a link has just come")
        #expect(ticks(500, 2) == 0, "499 more have come")
        #expect(ticks(500, 100) == 1)
        #expect(ticks(499, 1 + MemoryTrim.quietTicks) == 1, "one has gone")
        for links in 1...50 { #expect(ticks(links, 1) == 0, "they come with every tick") }
    }
}

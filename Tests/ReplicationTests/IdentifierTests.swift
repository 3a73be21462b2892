import Replication
import Testing

@Suite struct IdentifierTests {
    @Test("a site is within itself and its ancestors, and in nothing that only ends alike")
    func subtree() throws {
        let branch = try #require(SiteCode("xihu.hz.zj"))
        let region = try #require(SiteCode("hz.zj"))
        #expect(branch.isWithin(region) && branch.isWithin(branch))
        #expect(!region.isWithin(branch))
        #expect(try !#require(SiteCode("xhz.zj")).isWithin(region))
        #expect(branch.parent == region && region.parent?.parent == nil && branch.depth == 3)
    }

    @Test("codes that no certificate could carry are refused", arguments: ["", "A.zj", "-a.zj", "a..zj", "a.b.c.d.e"])
    func invalidSites(text: String) {
        #expect(SiteCode(text) == nil)
    }

    @Test("an entity's text form reads back")
    func entityText() throws {
        let id = EntityID(type: .ticket, high: 1, low: .max)
        #expect(EntityID(id.description) == id)
        #expect(EntityID("1-00") == nil)
    }
}

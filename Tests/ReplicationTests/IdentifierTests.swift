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

    @Test("a code is no longer than the host of a certificate's name")
    func longestSite() {
        let labels = [
            String(repeating: "a", count: 63), String(repeating: "b", count: 63), String(repeating: "c", count: 63),
        ]
        let most = (labels + [String(repeating: "d", count: SiteCode.utf8CountMax - 3 * 64)]).joined(separator: ".")
        #expect(most.utf8.count == SiteCode.utf8CountMax && SiteCode(most) != nil)
        #expect(SiteCode(most + "d") == nil)
    }

    @Test("a replica is named by sixteen hexadecimal digits and nothing else")
    func replicas() {
        #expect(ReplicaID(hexadecimal: "\(ReplicaID(0xAB))") == ReplicaID(0xAB))
        for text in ["", "ab", "00000000000000abc", "000000000000000g"] {
            #expect(ReplicaID(hexadecimal: text) == nil, "\(text)")
        }
    }

    @Test("an incarnation's journal is an entity of its own, apart from its announcement")
    func journals() {
        let replica = ReplicaID(7)
        #expect(EntityID(journalOf: replica).isJournal && !EntityID(announcementOf: replica).isJournal)
        #expect(EntityID(journalOf: replica) != EntityID(announcementOf: replica))
        #expect(!EntityID(ticketOpenedBy: Dot(replica, 1)).isJournal)
    }

    @Test("an entity's text form reads back")
    func entityText() throws {
        let id = EntityID(type: .ticket, high: 1, low: .max)
        #expect(EntityID(id.description) == id)
        #expect(EntityID("1-00") == nil)
    }
}

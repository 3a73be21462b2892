internal import Replication
internal import Store

/// What nodes have signed of their own histories, and how the log here stands to it.
package struct HeadList: Codable, Sendable, Hashable {
    package struct Entry: Codable, Sendable, Hashable {
        package var site: String
        package var replica: String
        /// Up to where its node has signed.
        package var sequence: UInt64
        package var signed: Instant
        /// `waiting`, `sound`, `differs`, `otherKey` or `forked`.
        package var state: String
        package var since: Instant
    }

    package var heads: [Entry]

    package var isDegraded: Bool { heads.contains { HeadTexts.isAlarm($0.state) } }
}

extension HeadList.Entry {
    init(_ record: HeadRecord) {
        self.init(
            site: record.site.rawValue, replica: "\(record.head.replica)", sequence: record.head.sequence,
            signed: Instant(record.head.time), state: "\(record.state)", since: Instant(record.since))
    }
}

package struct HeadForgetRequest: Codable, Sendable, Hashable {
    package var replica: String

    package init(replica: String) {
        self.replica = replica
    }
}

/// What an import takes; listed in Protocols/limits.md.
package enum ImportLimits {
    package static let fileBytesMax = 256 * 1024 * 1024
    package static let columnCountMax = 256
    package static let recordBytesMax = 1024 * 1024
    package static let fieldBytesMax = 16 * 1024
    /// The source's own name for a ticket; it becomes the number that is read over the telephone.
    package static let ticketKeyBytesMax = 256
    package static let departmentBytesMax = 256
    /// A longer name is cut.
    package static let actorBytesMax = 256
    /// All texts of one opening together.
    package static let openingBytesMax = 48 * 1024
    package static let timePatternCountMax = 16
    /// Operations of one transaction; its last row may go over it.
    package static let transactionOperationsMax = 2_000
    /// Refused rows that a report lists; all are counted.
    package static let refusedListedMax = 100_000
}

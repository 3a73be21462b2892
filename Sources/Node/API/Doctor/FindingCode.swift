/// What a finding is, for programs. A code is never given to something else; listed in Protocols/api.yaml.
package enum FindingCode: String, Codable, Sendable, CaseIterable {
    case checkFailed
    // clock
    case clockBehind, clockOffset
    // certificates
    case certificateMissing, certificateExpired, certificateExpiring, keyMismatch
    // revocations
    case nodeRevoked, revocationDiffers
    // database
    case databaseDamaged, stateWrong, rowsDamaged, searchBehind, searchDamaged, feedLengthWrong, feedHole
    // incarnation
    case epochMissing, epochOther, recoveryPending, reissueWaiting, operationsLost
    // peers
    case peerDisconnected, peerSilent, peerPaused, operationsParked, storesDiffer
    // heads
    case historyDiffers, historySilent
    // journal
    case journalChanged
    // disk and backups
    case diskLow, folderOpen, backupOld
}

internal import Foundation
package import Replication

/// The epoch as a file of the data folder: one line of JSON.
///
///     {"format":1,"hash":"…","machine":"…","replica":"0102030405060708","sequence":345,"starts":12}
///
/// `hash` and `machine` are 64 hexadecimal digits, `machine` is empty where the machine has no identity. It is written
/// beside, flushed and renamed, so that a cut leaves the old line or the new one.
/// Source: Protocols/configuration.md §4.
package struct EpochFile: Sendable {
    private struct Line: Codable {
        var format: Int
        var replica: String
        var starts: UInt64
        var sequence: UInt64
        var hash: String
        var machine: String
    }

    private static let format = 1
    private let path: String

    package init(_ folder: DataFolder) {
        path = folder.epoch
    }

    /// - Returns: nil if there is no file, or none that this version can read.
    package func read() -> Epoch? {
        guard let data = FileManager.default.contents(atPath: path),
            let line = try? JSONDecoder().decode(Line.self, from: data), line.format == Self.format,
            let replica = ReplicaID(hexadecimal: line.replica), let hash = ContentHash(hexadecimal: line.hash)
        else { return nil }
        return Epoch(
            replica: replica, startCount: line.starts, sequence: line.sequence, hash: hash,
            machine: ContentHash(hexadecimal: line.machine))
    }

    /// Returns once it is on the disk.
    /// - Throws: `StoreError.file`.
    package func write(_ epoch: Epoch) throws {
        let line = Line(
            format: Self.format, replica: "\(epoch.replica)", starts: epoch.startCount, sequence: epoch.sequence,
            hash: "\(epoch.hash)", machine: epoch.machine.map { "\($0)" } ?? "")
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        try DurableFile.write(Array(try encoder.encode(line)) + [0x0A], to: path)
    }
}

/// Which machine this is, by a hash of what Debian writes at installation.
package enum MachineIdentity {
    /// - Returns: nil where there is no such file, as in some containers.
    package static func current(path: String = "/etc/machine-id") -> ContentHash? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard !text.isEmpty else { return nil }
        var hasher = ContentHasher()
        // The identity itself is confidential; a hash for this use alone is not.
        return hasher.hash(Array("banjie epoch \(text)".utf8))
    }
}

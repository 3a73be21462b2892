import Glibc

/// One change of a file that no flush has covered yet, with what was there before.
struct Change {
    /// A torn write ends at a multiple of it.
    static let sectorBytes = 512
    /// A file system brings the pages of a file to the disk in any order: of a longer write any of them may be missing.
    static let pageBytes: Int64 = 4_096

    var offset: Int64
    /// Nil for a truncation to `offset`.
    var new: [UInt8]?
    /// What stood from `offset` on; shorter than `new` where the file ended.
    var old: [UInt8]
    var sizeBefore: Int64

    /// Takes the changes back, then makes those again that the generator lets through.
    static func lose(_ changes: [Change], of path: String, using generator: inout some RandomNumberGenerator) throws {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        // A file that was deleted meanwhile has nothing to lose.
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        for change in changes.reversed() {
            try write(change.old, at: change.offset, descriptor)
            guard ftruncate(descriptor, off_t(change.sizeBefore)) == 0 else { throw DiskProblem(path, "truncating") }
        }
        for change in changes.lazy.flatMap(\.pages) {
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: continue
            case 1: try change.tear(descriptor, using: &generator)
            default: try change.make(descriptor)
            }
        }
    }

    /// A write cut where the file's pages end; `old` and `sizeBefore` are the whole's.
    private var pages: [Change] {
        guard let new else { return [self] }
        var pages: [Change] = []
        var start = 0
        while start < new.count {
            let place = offset + Int64(start)
            let end = min(new.count, start + Int(Self.pageBytes - place % Self.pageBytes))
            pages.append(Change(offset: place, new: Array(new[start..<end]), old: [], sizeBefore: sizeBefore))
            start = end
        }
        return pages
    }

    private func make(_ descriptor: Int32) throws {
        guard let new else {
            guard ftruncate(descriptor, off_t(offset)) == 0 else { throw DiskProblem("a file", "truncating") }
            return
        }
        try Self.write(new, at: offset, descriptor)
    }

    private func tear(_ descriptor: Int32, using generator: inout some RandomNumberGenerator) throws {
        guard let new, new.count > Self.sectorBytes else { return }
        let sectors = Int.random(in: 1...(new.count - 1) / Self.sectorBytes, using: &generator)
        try Self.write(Array(new.prefix(sectors * Self.sectorBytes)), at: offset, descriptor)
    }

    private static func write(_ bytes: [UInt8], at offset: Int64, _ descriptor: Int32) throws {
        guard pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count else {
            throw DiskProblem("a file", "writing")
        }
    }
}

struct DiskProblem: Error {
    var path: String
    var operation: String

    init(_ path: String, _ operation: String) {
        self.path = path
        self.operation = operation
    }
}

internal import Foundation
internal import Replication
internal import Store
internal import Transport

/// Writes one bundle: the content is sealed and written as it comes, under another name; header and signature are put
/// before it at the end, and only then the file has its own name. Belongs to one thread.
final class BundleFileWriter {
    static let partSuffix = ".part"

    let path: String
    private let part: String
    private let descriptor: Int32
    private let key: SealingKey
    private var offset: Int
    private var plain: [UInt8] = []
    private var chunk: UInt32 = 0
    private var hash = RunningHash()
    private(set) var contentBytes = 0
    private var isFinished = false

    /// - Parameter headerBytes: length of the header that `finish` will be given.
    /// - Throws: `BundleFailure` for a name that is taken, `StoreError.file` naming what the disk says.
    init(path: String, headerBytes: Int, key: [UInt8]) throws {
        self.path = path
        part = path + Self.partSuffix
        self.key = SealingKey(key)
        offset = BundleFormat.prefixBytes + headerBytes + 1 + BundleFormat.signatureBytes
        try Self.requireFree(path)
        unlink(part)
        descriptor = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            isFinished = true
            throw StoreError.file(path: path, operation: "writing", reason: String(cString: strerror(errno)))
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        if !isFinished { unlink(part) }
    }

    private static func requireFree(_ path: String) throws {
        // A link that leads nowhere takes the name too.
        guard (try? FileManager.default.attributesOfItem(atPath: path)) == nil else {
            throw BundleFailure.file(path: path, .exists)
        }
    }

    func append(_ bytes: [UInt8]) throws {
        plain += bytes
        // One chunk is always kept back: whichever is the last has to say so.
        while plain.count > BundleFormat.chunkBytes {
            try seal(Array(plain.prefix(BundleFormat.chunkBytes)), isLast: false)
            plain.removeFirst(BundleFormat.chunkBytes)
        }
    }

    private func seal(_ bytes: [UInt8], isLast: Bool) throws {
        let sealed = key.seal(bytes, nonce: BundleFormat.nonce(chunk: chunk, isLast: isLast))
        chunk += 1
        hash.update(sealed)
        try write(sealed, at: offset)
        offset += sealed.count
        contentBytes += sealed.count
    }

    /// Seals the rest, and gives the file its header, its signature and its name.
    /// - Parameter header: all but the content's length and hash, which are filled in here.
    /// - Returns: the file's length.
    func finish(_ header: BundleHeader, signer: SigningKey) throws -> Int {
        try seal(plain, isLast: true)
        plain = []
        var header = header
        header.contentBytes = UInt64(contentBytes)
        header.contentHash = ContentHash(hash.finish()) ?? .zero
        let signed = BundleFormat.prefixed(header)
        let signature = try signer.sign(signed)
        var front = ByteWriter(reserving: signed.count + 1 + BundleFormat.signatureBytes)
        front.raw(signed)
        front.byte(UInt8(signature.count))
        front.raw(signature)
        front.raw([UInt8](repeating: 0, count: BundleFormat.signatureBytes - signature.count))
        precondition(front.bytes.count + contentBytes == offset, "the header has the length that was left for it")
        try write(front.bytes, at: 0)
        guard fsync(descriptor) == 0 else {
            throw StoreError.file(path: path, operation: "flushing", reason: String(cString: strerror(errno)))
        }
        try Self.requireFree(path)
        try DurableFile.rename(part, to: path)
        isFinished = true
        return offset
    }

    private func write(_ bytes: [UInt8], at start: Int) throws {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                pwrite(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(start + done))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw StoreError.file(path: path, operation: "writing", reason: String(cString: strerror(errno)))
            }
            done += count
        }
    }
}

extension BundleFormat {
    /// What is signed: everything before the signature.
    static func prefixed(_ header: BundleHeader) -> [UInt8] {
        let bytes = header.encoded()
        var writer = ByteWriter(reserving: prefixBytes + bytes.count)
        writer.raw(magic)
        writer.integer(version)
        writer.integer(UInt32(bytes.count))
        writer.raw(bytes)
        return writer.bytes
    }
}

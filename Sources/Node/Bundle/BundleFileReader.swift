internal import Foundation
internal import Replication
internal import Store
internal import Transport

/// Reads one bundle: the header at once, the content chunk by chunk. Never traps on any bytes. Belongs to one thread.
package final class BundleFileReader {
    let path: String
    package let header: BundleHeader
    /// What the signature is over.
    private let signed: [UInt8]
    private let signature: [UInt8]
    private let descriptor: Int32
    private let contentOffset: Int

    /// - Throws: `BundleFailure` for what is no whole bundle, `StoreError.file` naming what the disk says.
    package init(path: String) throws {
        self.path = path
        let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let attributes: [FileAttributeKey: Any]
        do {
            attributes = try FileManager.default.attributesOfItem(atPath: target)
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile || error.code == .fileNoSuchFile {
            throw BundleFailure.file(path: path, .missing)
        } catch {
            throw StoreError.file(path: path, operation: "reading", reason: error.localizedDescription)
        }
        // A pipe would keep whoever opens it waiting.
        guard attributes[.type] as? FileAttributeType == .typeRegular, let size = attributes[.size] as? Int else {
            throw BundleFailure.file(path: path, .noFile)
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw StoreError.file(path: path, operation: "reading", reason: String(cString: strerror(errno)))
        }
        let front: Front
        do {
            front = try Front(path: path, descriptor: descriptor, fileBytes: size)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        (header, signed, signature) = (front.header, front.signed, front.signature)
        contentOffset = front.bytes
    }

    deinit { close(descriptor) }

    /// Everything before the content.
    private struct Front {
        var header: BundleHeader
        var signed: [UInt8]
        var signature: [UInt8]
        var bytes: Int

        init(path: String, descriptor: Int32, fileBytes: Int) throws {
            func failure(_ fault: BundleFailure.FileFault) -> BundleFailure { .file(path: path, fault) }
            func read(_ count: Int, at offset: Int) throws -> [UInt8] {
                guard let bytes = try BundleFileReader.read(descriptor, path, count: count, at: offset) else {
                    throw failure(.truncated)
                }
                return bytes
            }
            guard fileBytes >= BundleFormat.prefixBytes else {
                throw failure(.noBundle)
            }
            let prefix = try read(BundleFormat.prefixBytes, at: 0)
            guard prefix.starts(with: BundleFormat.magic) else { throw failure(.noBundle) }
            let numbers = prefix.dropFirst(BundleFormat.magic.count).map(Int.init)
            let version = numbers[0] << 8 | numbers[1]
            guard version <= Int(BundleFormat.version) else {
                throw failure(.newerVersion(found: version, known: Int(BundleFormat.version)))
            }
            let count = numbers[2...].reduce(0) { $0 << 8 | $1 }
            guard version > 0, count <= BundleLimits.headerBytesMax else { throw failure(.damaged(part: "header")) }
            let headerBytes = try read(count, at: prefix.count)
            let signature = try read(1 + BundleFormat.signatureBytes, at: prefix.count + count)
            do {
                header = try BundleHeader(decoding: headerBytes)
            } catch {
                throw failure(.damaged(part: "header: \(error)"))
            }
            signed = prefix + headerBytes
            guard signature[0] <= BundleFormat.signatureBytes,
                signature.dropFirst(1 + Int(signature[0])).allSatisfy({ $0 == 0 })
            else { throw failure(.damaged(part: "signature")) }
            self.signature = Array(signature[1...].prefix(Int(signature[0])))
            bytes = signed.count + signature.count
            let expected = bytes + Int(header.contentBytes)
            guard fileBytes >= expected else { throw failure(.truncated) }
            guard fileBytes == expected else { throw failure(.damaged(part: "\(fileBytes - expected) bytes too many")) }
        }
    }

    /// - Returns: nil if the file ends before.
    private static func read(_ descriptor: Int32, _ path: String, count: Int, at offset: Int) throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.map { $0 + done }, count - done, off_t(offset + done))
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else {
                throw StoreError.file(path: path, operation: "reading", reason: String(cString: strerror(errno)))
            }
            guard got > 0 else { return nil }
            done += got
        }
        return bytes
    }

    func isSigned(by key: VerifyingKey) -> Bool { key.isValid(signature: signature, of: signed) }

    /// Opens the content and hands out the messages in it, without their length.
    /// - Throws: `BundleFailure.file` at the first chunk that was changed, and at the end if it is not the content that
    ///   the header names; what `body` throws.
    package func forEachMessage(key: [UInt8], _ body: ([UInt8]) throws -> Void) throws {
        let key = SealingKey(key)
        var hash = RunningHash()
        var plain: [UInt8] = []
        var (offset, chunk) = (0, UInt32(0))
        let total = Int(header.contentBytes)
        repeat {
            let count = min(BundleFormat.chunkBytes + SealingKey.tagBytes, total - offset)
            guard let sealed = try Self.read(descriptor, path, count: count, at: contentOffset + offset) else {
                throw BundleFailure.file(path: path, .truncated)
            }
            offset += count
            hash.update(sealed)
            guard let opened = key.open(sealed, nonce: BundleFormat.nonce(chunk: chunk, isLast: offset == total)) else {
                throw BundleFailure.file(path: path, .damaged(part: "chunk \(chunk + 1)"))
            }
            chunk += 1
            plain += opened
            try takeMessages(from: &plain, body)
        } while offset < total
        guard plain.isEmpty else { throw BundleFailure.file(path: path, .damaged(part: "the last message")) }
        guard ContentHash(hash.finish()) == header.contentHash else {
            throw BundleFailure.file(path: path, .damaged(part: "content"))
        }
    }

    private func takeMessages(from plain: inout [UInt8], _ body: ([UInt8]) throws -> Void) throws {
        var taken = 0
        do {
            while let length = try SyncCodec.messageBytes(prefix: plain[taken...]),
                plain.count - taken >= SyncCodec.prefixBytes + length
            {
                taken += SyncCodec.prefixBytes
                try body(Array(plain[taken..<taken + length]))
                taken += length
            }
        } catch let failure as DecodingFailure {
            throw BundleFailure.file(path: path, .damaged(part: "\(failure)"))
        }
        plain.removeFirst(taken)
    }
}

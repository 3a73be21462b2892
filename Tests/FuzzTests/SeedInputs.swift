import Foundation
import FuzzTargets
import Replication
import TestSupport
import Testing
import Tickets
import Transport

/// Writes inputs that the fuzzers begin with, with `RECORD=1`: what a sound peer would send.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["RECORD"] == "1"))
struct SeedInputs {
    private static let now: Int64 = 1_800_000_000_000

    private func keep(_ target: FuzzTarget, _ name: String, _ bytes: some Sequence<UInt8>) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Corpus/\(target.rawValue)").standardized
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(bytes).write(to: folder.appendingPathComponent(name))
    }

    /// The first block of a PEM text.
    private func der(_ pem: String) -> [UInt8] {
        let lines = pem.split(separator: "\n")
        let text = lines.dropFirst().prefix { !$0.hasPrefix("-----") }.joined()
        return Array(Data(base64Encoded: text) ?? Data())
    }

    @Test("certificates, a list, requests and enrolments are inputs")
    func trust() throws {
        let (province, region) = (try #require(NodeURI(host: "zj")), try #require(NodeURI(host: "hz.zj")))
        let root = try CertificateAuthority.makeRoot(subtree: province, nowMilliseconds: Self.now, days: 7_300)
        let request = try CertificateRequest(uri: region, privateKeyPEM: makePrivateKeyPEM())
        let chain = try root.signLeaf(request, expecting: region, nowMilliseconds: Self.now)
        let leaf = try PeerCertificate(pem: chain)
        let list = try root.signRevocationList(
            [RevokedCertificate(serialHex: leaf.serialHex, revokedAtMilliseconds: Self.now)], number: 1,
            nowMilliseconds: Self.now)
        try keep(.certificate, "text of a chain", [0] + Array((chain + root.chainPEM + list).utf8))
        try keep(.certificate, "root", [1] + der(root.chainPEM))
        try keep(.certificate, "leaf", [1] + der(chain))
        try keep(.certificate, "list", [2] + der(list))
        try keep(.signingRequest, "text", [0] + Array(request.pem.utf8))
        try keep(.signingRequest, "request", [1] + der(request.pem))

        let secret = Data([UInt8](repeating: 5, count: 32)).base64EncodedString()
        let token: [String: Any] = [
            "version": 1, "site": "hz.zj", "issuer": "zj", "enrolmentAddress": "127.0.0.1:8443",
            "syncAddress": "127.0.0.1:8444", "rootPEM": root.chainPEM, "secret": secret,
            "expiresMilliseconds": Self.now,
        ]
        let json = try JSONSerialization.data(withJSONObject: token, options: .sortedKeys)
        try keep(.enrolment, "token", [0] + Array("banjie-token-\(json.base64EncodedString())\n".utf8))
        try keep(.enrolment, "what is in a token", [1] + Array(json))
        let asked = ["secret": secret, "leafRequestPEM": request.pem]
        try keep(.enrolment, "request", [2] + Array(try JSONEncoder().encode(asked)))
        let answer = ["chainPEM": chain, "provinceKey": secret]
        try keep(.enrolment, "answer", [3] + Array(try JSONEncoder().encode(answer)))
    }

    @Test("compressed bytes are inputs")
    func compressed() throws {
        let texts = ["宽带断网", String(repeating: "用户报障，", count: 200), ""].map { Array($0.utf8) }
        try keep(.zstd, "frame", [0] + Compression.compress(texts.flatMap { $0 }))
        var compressor = StreamCompressor()
        var stream: [UInt8] = [1]
        for text in texts {
            let (block, isStart) = compressor.compress(text)
            stream += [UInt8(block.count >> 8) | (isStart ? 0x80 : 0), UInt8(block.count & 0xFF)] + block
        }
        try keep(.zstd, "stream", stream)
    }

    @Test("the standard catalog is an input")
    func catalog() throws {
        try keep(.catalog, "standard", Catalog.standard.json())
    }

    @Test("the bundle of Protocols/vectors is an input")
    func bundleFile() throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Protocols/vectors/bundle.json").standardized
        let vector = try JSONDecoder().decode([String: String].self, from: Data(contentsOf: path))
        let digits = Array(try #require(vector["file"]).utf8)
        try keep(
            .bundleFile, "vector",
            stride(from: 0, to: digits.count, by: 2).compactMap {
                UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
            })
    }
}

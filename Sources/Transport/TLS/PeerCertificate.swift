import COpenSSL
#if canImport(Glibc)
    import Glibc
#endif

/// What this program wants to know of a certificate, detached from OpenSSL. One object, since every task of a connection
/// holds on to it for as long as it waits.
package final class PeerCertificate: Sendable {
    /// Every URI among the subject alternative names, in order.
    package let uris: [String]
    /// How many names of another type (DNS, IP, e-mail ...) stand beside the URIs.
    package let otherNameCount: Int
    /// DNS names, for the console's certificate.
    package let dnsNames: [String]
    /// Serial number in lower-case hexadecimal, without leading zeros.
    package let serialHex: String
    /// Start of validity, UTC milliseconds.
    package let notBeforeMilliseconds: Int64
    /// End of validity, UTC milliseconds.
    package let notAfterMilliseconds: Int64
    /// SHA-256 of the DER form, 64 lower-case hexadecimal digits.
    package let fingerprint: String
    /// The subject's common name, or an empty string.
    package let commonName: String
    /// The issuer's common name, or an empty string.
    package let issuerCommonName: String
    /// Whether it may sign other certificates.
    package let isAuthority: Bool
    /// The certificate itself, without its issuers; for who has to write to its holder later.
    package let pem: String

    /// The one name of a node's certificate; nil if there is not exactly one, it has another form, or other names
    /// stand beside it.
    package var nodeURI: NodeURI? {
        guard uris.count == 1, otherNameCount == 0, !isAuthority else { return nil }
        return NodeURI(uris[0])
    }

    /// Reads the first certificate of a PEM text.
    /// - Throws: `TransportError.configuration` if there is none.
    package convenience init(pem: String) throws {
        let first = try X509Reference.parseChain(pem)[0]
        defer { keepAlive(first) }
        self.init(x509: first.pointer)
    }

    /// Reads every certificate of a PEM text, leaf first as in the text.
    package static func chain(pem: String) throws -> [PeerCertificate] {
        try X509Reference.parseChain(pem).map { PeerCertificate(x509: $0.pointer) }
    }

    init(x509: OpaquePointer) {
        var uris: [String] = []
        var dnsNames: [String] = []
        var others = 0
        if let names = X509_get_ext_d2i(x509, NID_subject_alt_name, nil, nil) {
            (uris, dnsNames, others) = Self.readNames(OpaquePointer(names))
            GENERAL_NAMES_free(OpaquePointer(names))
        }
        self.uris = uris
        self.dnsNames = dnsNames
        otherNameCount = others
        serialHex = Self.hexadecimal(of: X509_get0_serialNumber(x509))
        notBeforeMilliseconds = Self.milliseconds(X509_get0_notBefore(x509))
        notAfterMilliseconds = Self.milliseconds(X509_get0_notAfter(x509))
        fingerprint = Self.fingerprint(x509)
        commonName = Self.commonName(X509_get_subject_name(x509))
        issuerCommonName = Self.commonName(X509_get_issuer_name(x509))
        isAuthority = X509_check_ca(x509) != 0
        pem = (try? collectBIO { PEM_write_bio_X509($0, x509) == 1 }).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    static func readNames(_ names: OpaquePointer) -> (uris: [String], dns: [String], others: Int) {
        var uris: [String] = []
        var dns: [String] = []
        var others = 0
        for index in 0..<OPENSSL_sk_num(names) {
            guard let raw = OPENSSL_sk_value(names, index) else { continue }
            let name = raw.assumingMemoryBound(to: GENERAL_NAME.self).pointee
            switch name.type {
            case GEN_URI: uris.append(string(name.d.uniformResourceIdentifier))
            case GEN_DNS:
                dns.append(string(name.d.dNSName))
                others += 1
            default: others += 1
            }
        }
        return (uris, dns, others)
    }

    /// The raw octets as text; an embedded NUL stays visible and makes every comparison fail, as it should.
    static func string(_ value: UnsafePointer<ASN1_STRING>?) -> String {
        guard let value, let bytes = ASN1_STRING_get0_data(value) else { return "" }
        let count = Int(ASN1_STRING_length(value))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    static func commonName(_ name: OpaquePointer?) -> String {
        guard let name else { return "" }
        let index = X509_NAME_get_index_by_NID(name, NID_commonName, -1)
        guard index >= 0, let entry = X509_NAME_get_entry(name, index) else { return "" }
        return string(X509_NAME_ENTRY_get_data(entry))
    }

    static func hexadecimal(of serial: UnsafePointer<ASN1_INTEGER>?) -> String {
        guard let serial, let number = ASN1_INTEGER_to_BN(serial, nil) else { return "" }
        defer { BN_free(number) }
        guard let text = BN_bn2hex(number) else { return "" }
        defer { CRYPTO_free(text, "", 0) }
        let digits = String(cString: text).lowercased().drop { $0 == "0" }
        return digits.isEmpty ? "0" : String(digits)
    }

    static func milliseconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64 {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
        return Int64(timegm(&parts)) * 1000
    }

    static func fingerprint(_ x509: OpaquePointer) -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        var count: UInt32 = 32
        guard X509_digest(x509, EVP_sha256(), &digest, &count) == 1 else { return "" }
        return hexadecimalText(digest)
    }
}

extension PeerCertificate: Hashable {
    package static func == (left: PeerCertificate, right: PeerCertificate) -> Bool { left.pem == right.pem }

    package func hash(into hasher: inout Hasher) { hasher.combine(pem) }
}

/// Lower-case hexadecimal digits, two an octet.
func hexadecimalText(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

/// `banjie://HOST/`, the name that a node's certificate carries.
///
/// The form is narrow on purpose. OpenSSL compares only what stands between `//` and the next `:` or `/` with the name
/// constraints, so user information, ports, paths and capital letters would each be a way around them.
package struct NodeURI: Hashable, Sendable, CustomStringConvertible {
    /// Labels of `a-z 0-9 -`, joined by dots: `branch.region.province`. At most 253 octets.
    package let host: String

    /// - Returns: nil unless the text is exactly `banjie://HOST/`.
    package init?(_ text: String) {
        guard text.hasPrefix("banjie://"), text.hasSuffix("/"), text.utf8.count > 10 else { return nil }
        self.init(host: String(text.dropFirst(9).dropLast()))
    }

    /// - Returns: nil unless the host is made of valid labels.
    package init?(host: String) {
        guard (1...253).contains(host.utf8.count) else { return nil }
        for label in host.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard (1...63).contains(label.count), label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-")
            else { return nil }
            guard
                label.allSatisfy({
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
                })
            else { return nil }
        }
        self.host = host
    }

    /// Whether `self` is the other's host or lies below it.
    package func isWithin(_ other: NodeURI) -> Bool {
        host == other.host || host.hasSuffix("." + other.host)
    }

    package var description: String { "banjie://\(host)/" }
}

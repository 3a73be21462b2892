#if canImport(Glibc)
    import Glibc
#endif

/// Under what a peer's connections are counted: whoever has an IPv6 network has 2^64 addresses in it.
package enum PeerHost {
    /// Octets of an IPv6 address that name its network.
    private static let networkBytes = 8

    /// - Parameter address: without a port.
    /// - Returns: an IPv4 address as it is, also one that is written as an IPv6 address; of any other IPv6 address its
    ///   first 64 bits, `2001:db8::/64`; every other text as it is.
    package static func key(of address: String) -> String {
        let plain = address.hasPrefix("[") ? String(address.dropFirst().prefix { $0 != "]" }) : address
        // A zone says at which of this machine's interfaces the address is.
        var octets = [UInt8](repeating: 0, count: 16)
        guard plain.contains(":"), inet_pton(AF_INET6, String(plain.prefix { $0 != "%" }), &octets) == 1 else {
            return address
        }
        if octets.prefix(10).allSatisfy({ $0 == 0 }), octets[10] == 0xFF, octets[11] == 0xFF {
            return octets.suffix(4).map(String.init).joined(separator: ".")
        }
        for index in networkBytes..<octets.count { octets[index] = 0 }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(AF_INET6, octets, &text, socklen_t(text.count)) != nil else { return address }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) + "/64"
    }
}

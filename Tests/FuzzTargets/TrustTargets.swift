import FoundationEssentials
import Node
import Transport

// What says who somebody is. Certificates and requests come as PEM; most inputs are their DER form, which changed bytes
// get further with than with a changed base64.
extension FuzzTarget {
    /// 2027-01-15.
    private static let now: Int64 = 1_800_000_000_000

    private static func pem(_ label: String, _ der: [UInt8]) -> String {
        "-----BEGIN \(label)-----\n\(Data(der).base64EncodedString())\n-----END \(label)-----\n"
    }

    static func runCertificate(_ bytes: [UInt8]) {
        guard let form = bytes.first else { return }
        let rest = Array(bytes.dropFirst())
        let text =
            switch form % 3 {
            case 0: String(decoding: rest, as: UTF8.self)
            case 1: pem("CERTIFICATE", rest)
            default: pem("X509 CRL", rest)
            }
        // It is its own root, issuer and list: every part meets every other.
        _ = revocationLists(in: text, signedByOneOf: text)
        // What follows reads the certificates as this does, before anything else.
        guard let chain = try? PeerCertificate.chain(pem: text) else { return }
        for certificate in chain {
            _ = certificate.nodeURI
            _ = certificate.keyFingerprint
        }
        // Without a list, where there can be none, verification goes on to the signatures.
        let lists = form % 3 == 0 ? [text] : []
        _ = try? verifyNodeChain(text, trustRootsPEM: text, crlsPEM: lists, nowMilliseconds: now)
        _ = isSuccessor(text, bridgePEM: text, of: text, nowMilliseconds: now)
    }

    static func runSigningRequest(_ bytes: [UInt8]) {
        guard let form = bytes.first else { return }
        let rest = Array(bytes.dropFirst())
        _ = try? CertificateRequest(
            pem: form % 2 == 0 ? String(decoding: rest, as: UTF8.self) : pem("CERTIFICATE REQUEST", rest))
    }

    static func runEnrolment(_ bytes: [UInt8]) throws {
        guard let form = bytes.first else { return }
        let data = Data(bytes.dropFirst())
        switch form % 4 {
        case 0: _ = try? EnrolmentToken(text: String(decoding: data, as: UTF8.self))
        case 1:
            guard let token = try? EnrolmentToken(text: "banjie-token-" + data.base64EncodedString()) else { return }
            guard try EnrolmentToken(text: token.text) == token else {
                throw Violation(description: "a token is another one after a round trip")
            }
        case 2:
            guard let request = try? JSONDecoder().decode(EnrolmentRequest.self, from: data) else { return }
            _ = try? CertificateRequest(pem: request.leafRequestPEM)
        default: _ = try? JSONDecoder().decode(EnrolmentAnswer.self, from: data)
        }
    }
}

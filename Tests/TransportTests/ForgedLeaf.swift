import TestSupport

@testable import Transport

/// A certificate that no careful authority would sign: any names, any issuer.
func forgeLeaf(
    _ issuer: CertificateAuthority, names: String?, usage: String = "clientAuth,serverAuth",
    commonName: String = "a name", days: Int = 30, nowMilliseconds: Int64 = TestAuthority.now
) throws -> TLSIdentity {
    let keyPEM = try makePrivateKeyPEM()
    let draft = try CertificateDraft(
        commonName: commonName, publicKey: KeyReference(privateKeyPEM: keyPEM), nowMilliseconds: nowMilliseconds,
        days: days)
    try draft.setIssuer(try X509Reference.parseChain(issuer.chainPEM)[0])
    if let names { try draft.add(85, names) }  // NID_subject_alt_name
    try draft.add(126, usage)  // NID_ext_key_usage
    let pem = try draft.sign(with: KeyReference(privateKeyPEM: issuer.privateKeyPEM))
    return TLSIdentity(certificateChainPEM: pem + issuer.chainPEM, privateKeyPEM: keyPEM)
}

import COpenSSL

/// Whether a text is one revocation list that one of these certificates has signed, and may sign.
/// - Parameter certificatesPEM: any number of certificates; those that are no authorities do not count.
package func isRevocationList(_ pem: String, signedByOneOf certificatesPEM: String) -> Bool {
    guard let lists = try? CRLReference.parseAll(pem), lists.count == 1,
        let certificates = try? X509Reference.parseChain(certificatesPEM)
    else { return false }
    defer {
        keepAlive(lists as AnyObject)
        keepAlive(certificates as AnyObject)
        ERR_clear_error()
    }
    return certificates.contains { certificate in
        guard X509_check_ca(certificate.pointer) == 1,
            X509_NAME_cmp(X509_CRL_get_issuer(lists[0].pointer), X509_get_subject_name(certificate.pointer)) == 0,
            let key = X509_get0_pubkey(certificate.pointer)
        else { return false }
        return X509_CRL_verify(lists[0].pointer, key) == 1
    }
}

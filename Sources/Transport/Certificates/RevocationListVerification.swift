import COpenSSL

/// The revocation lists of a text that one of these certificates has signed, and may sign. PEM; empty if there is none.
/// - Parameter certificatesPEM: any number of certificates; those that are no authorities do not count.
package func revocationLists(in pem: String, signedByOneOf certificatesPEM: String) -> String {
    guard let lists = try? CRLReference.parseAll(pem),
        let certificates = try? X509Reference.parseChain(certificatesPEM)
    else { return "" }
    defer {
        keepAlive(lists as AnyObject)
        keepAlive(certificates as AnyObject)
        ERR_clear_error()
    }
    let sound = lists.filter { list in
        certificates.contains { certificate in
            guard X509_check_ca(certificate.pointer) == 1,
                X509_NAME_cmp(X509_CRL_get_issuer(list.pointer), X509_get_subject_name(certificate.pointer)) == 0,
                let key = X509_get0_pubkey(certificate.pointer)
            else { return false }
            return X509_CRL_verify(list.pointer, key) == 1
        }
    }
    return sound.compactMap { list in
        (try? collectBIO { PEM_write_bio_X509_CRL($0, list.pointer) == 1 }).map { String(decoding: $0, as: UTF8.self) }
    }.joined()
}

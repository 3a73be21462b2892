internal import Foundation
package import Transport

/// What is stored instead of a password: `scrypt$N$r$p$salt$key`, salt and key in base64.
///
/// The parameters stand in the text, so that they can grow and old verifiers stay valid.
package enum PasswordVerifier {
    package static let charactersMin = 8
    package static let bytesMax = 1_024
    static let saltBytes = 16
    /// Costs that a stored text may ask for; anything beyond is a damaged or foreign row.
    static let costMax: UInt64 = 1 << 20

    /// Why a password is not taken.
    package enum Weakness: Error, Hashable, Sendable {
        case tooShort(charactersMin: Int)
        case tooLong(bytesMax: Int)
        /// The account's own name.
        case isName
    }

    /// Some 60 ms and 32 MiB with the defaults: not on an event loop.
    /// - Throws: `Weakness`; `TransportError.cryptography`.
    package static func make(
        _ password: String, for name: String, salt: [UInt8] = randomBytes(saltBytes),
        parameters: ScryptParameters = ScryptParameters()
    ) throws -> String {
        guard password.count >= charactersMin else { throw Weakness.tooShort(charactersMin: charactersMin) }
        guard password.utf8.count <= bytesMax else { throw Weakness.tooLong(bytesMax: bytesMax) }
        guard password.lowercased() != name.lowercased() else { throw Weakness.isName }
        let key = try scrypt(password: Array(password.utf8), salt: salt, parameters: parameters)
        return [
            "scrypt", "\(parameters.cost)", "\(parameters.blockSize)", "\(parameters.parallelism)",
            Data(salt).base64EncodedString(), Data(key).base64EncodedString(),
        ].joined(separator: "$")
    }

    /// The same time whether the password is right or wrong. A verifier that cannot be read never matches.
    package static func verify(_ password: String, against verifier: String) -> Bool {
        let parts = verifier.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "scrypt", let cost = UInt64(parts[1]), let blockSize = UInt64(parts[2]),
            let parallelism = UInt64(parts[3]), let salt = Data(base64Encoded: String(parts[4])),
            let key = Data(base64Encoded: String(parts[5])), cost <= costMax, password.utf8.count <= bytesMax
        else { return false }
        let parameters = ScryptParameters(
            cost: cost, blockSize: blockSize, parallelism: parallelism, outputBytes: key.count)
        guard let computed = try? scrypt(password: Array(password.utf8), salt: Array(salt), parameters: parameters)
        else { return false }
        return equalInConstantTime(computed, Array(key))
    }

    /// A verifier of no password, to spend the same time on a name that does not exist.
    package static let nobody = "scrypt$32768$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
}

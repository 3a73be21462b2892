internal import Replication
internal import Store
internal import Synchronization
internal import Tickets
internal import Transport

/// The roots that a node trusts, by what stands in its folder and what the log says of roots.
///
/// A statement counts by signatures alone, whoever has brought it: a root comes in if a trusted one has vouched for it,
/// and goes out if one that it has vouched for itself says so. Source: Protocols/trust.md §10.
struct TrustRoots: Sendable, Hashable {
    /// Roots that are trusted at one time; what comes beyond is left out.
    static let rootsMax = 4

    /// Self-signed certificates in PEM, the newest first.
    private(set) var pems: [String]
    /// What was said of the newest: that certificates are signed under it at once.
    private(set) var hurries = false
    /// Statements that no trusted root stands behind.
    private(set) var refusedCount = 0

    var text: String { pems.joined() }

    /// - Parameter file: what `root.pem` has.
    /// - Parameter nowMilliseconds: the instant for which signatures are judged, UTC.
    init(file: String, statements: [Body] = [], nowMilliseconds: Int64) throws {
        pems = try PeerCertificate.chain(pem: file).map(\.pem)
        var introductions: [IntroduceRootBody] = []
        var retirements: [RetireRootBody] = []
        for statement in statements {
            if case .introduceRoot(let body) = statement { introductions.append(body) }
            if case .retireRoot(let body) = statement { retirements.append(body) }
        }
        add(introductions, now: nowMilliseconds)
        remove(retirements, introductions, now: nowMilliseconds)
        hurries = introductions.contains { $0.hurries && Self.plain($0.root) == pems.first }
    }

    /// The same bytes however the text was wrapped.
    private static func plain(_ pem: String) -> String? { try? PeerCertificate(pem: pem).pem }

    private mutating func add(_ introductions: [IntroduceRootBody], now: Int64) {
        var waiting = introductions
        var isGrowing = true
        while isGrowing {
            isGrowing = false
            for body in waiting {
                guard let root = Self.plain(body.root) else { continue }
                let isKnown = pems.contains(root)
                guard
                    isKnown
                        || pems.count < Self.rootsMax
                            && isSuccessor(body.root, bridgePEM: body.bridge, of: text, nowMilliseconds: now)
                else { continue }
                if !isKnown { pems.insert(root, at: 0) }
                waiting.removeAll { $0 == body }
                isGrowing = true
            }
        }
        refusedCount = waiting.count
    }

    private mutating func remove(
        _ retirements: [RetireRootBody], _ introductions: [IntroduceRootBody], now: Int64
    ) {
        let present = pems
        func root(_ fingerprint: [UInt8]) -> String? {
            present.first { (try? PeerCertificate(pem: $0).fingerprint) == RootFingerprint.text(fingerprint) }
        }
        for body in retirements {
            guard let retired = root(body.fingerprint) else { continue }
            guard let signer = root(body.signer), signer != retired,
                introductions.contains(where: {
                    Self.plain($0.root) == signer
                        && isSuccessor($0.root, bridgePEM: $0.bridge, of: retired, nowMilliseconds: now)
                }),
                let key = try? VerifyingKey(certificatePEM: signer),
                key.isValid(
                    signature: body.signature,
                    of: RetireRootBody.signedBytes(fingerprint: body.fingerprint, signer: body.signer))
            else {
                refusedCount += 1
                continue
            }
            pems.removeAll { $0 == retired }
        }
    }
}

/// SHA-256 of a root's certificate, as octets and as `PeerCertificate.fingerprint` writes it.
enum RootFingerprint {
    static func text(_ octets: [UInt8]) -> String {
        octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    static func octets(_ text: String) -> [UInt8] {
        var result: [UInt8] = []
        var rest = text[...]
        while rest.count >= 2 {
            guard let octet = UInt8(rest.prefix(2), radix: 16) else { return [] }
            result.append(octet)
            rest = rest.dropFirst(2)
        }
        return result
    }
}

/// Tells the shell that something was said of roots, and renewal whether it hurries.
final class RootBoard: Sendable {
    private struct State {
        var hurries = false
        var listener: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// Certificates are signed under the newest root at the next contact, and not only when they are due.
    var hurries: Bool {
        get { state.withLock { $0.hurries } }
        set { state.withLock { $0.hurries = newValue } }
    }

    /// - Parameter listener: called after a commit that says something of roots; must not block.
    func onChange(_ listener: @escaping @Sendable () -> Void) {
        state.withLock { $0.listener = listener }
    }

    func announce() {
        state.withLock { $0.listener }?()
    }
}

extension KeyFolder {
    /// The root that certificates are signed under.
    func newestRoot() throws -> String { try PeerCertificate(pem: read(.root)).pem }

    /// Whether what stands in this file leads to the newest root, over certificates that are valid, or is for its key.
    func isUnderNewestRoot(_ file: File, now: Int64) throws -> Bool {
        let (chain, newest) = (try read(file), try newestRoot())
        // The bridge was signed by the former root, and signs what hangs on the newest.
        return try PeerCertificate(pem: chain).keyFingerprint == PeerCertificate(pem: newest).keyFingerprint
            || leads(chain, to: newest, nowMilliseconds: now)
    }
}

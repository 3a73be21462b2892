internal import Hummingbird
internal import Replication
internal import Store
package import Tickets
internal import Transport

/// What a route cannot do for a reason of its own; refusals and store errors come from below.
package enum APIFailure: Error, Sendable, Hashable {
    /// A field of the JSON body, or a parameter, that cannot be read; `expected` says what it should be.
    case malformed(field: String, expected: String)
    case unreadableBody(String)
    case bodyTooLarge(bytesMax: Int)
    case noSuchTicket(String)
    case ambiguousNumber(String, [TicketBrief])
    case noSuchAccount(String)
    case noSuchPeer(String)
    case noSuchJob(String)
    case jobRunning(String)
    case noSuchConflict
    /// What was asked for needs a running node.
    case notRunning
    case forbidden
    /// Of telephone numbers.
    case mayNotReveal(role: String)
    case outOfScope(String)
    case nothingToReveal(String)
    case noSuchRoute(String)
    /// The node's folder is owned by a process that does not answer on its socket.
    case unreachable(path: String, owner: String)
    case socketPathTooLong(path: String, bytesMax: Int)
}

/// An error as JSON: on the wire with its status, on the command line's standard error without.
package struct APIError: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    /// HTTP status.
    package var status: Int
    /// For programs; never translated.
    package var code: String
    package var message: String
    /// What to do now; empty where there is nothing to add.
    package var next: String
    /// The field or parameter at fault.
    package var field: String?
    /// The tickets that an ambiguous number names.
    package var candidates: [TicketBrief]?

    package init(status: Int, code: String, message: String, next: String = "", field: String? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.next = next
        self.field = field
    }

    package var description: String {
        // Chinese sentences follow each other without a blank.
        next.isEmpty ? message : message.hasSuffix("。") ? message + next : "\(message) \(next)"
    }
}

/// How a command ends for the shell that called it.
package enum ExitStatus: Int32, Sendable, CaseIterable {
    case success = 0
    case failure = 1
    /// It was done, and what it shows needs somebody's attention.
    case degraded = 2
    case notFound = 3
    case conflict = 4
    /// The node, its peer or its listener cannot be reached.
    case unreachable = 5
    case usage = 64

    /// The one mapping from what the API answers.
    package init(httpStatus status: Int) {
        switch status {
        case 200..<300: self = .success
        case 400: self = .usage
        case 404: self = .notFound
        case 409: self = .conflict
        case 502...504: self = .unreachable
        default: self = .failure
        }
    }
}

extension APIError {
    /// The one mapping of errors to statuses and texts.
    package init(_ error: any Error, _ language: Language) {
        switch error {
        case let error as APIError: self = error
        case let refusal as Refusal:
            self.init(status: refusal.status, code: refusal.code, sentences: refusal.text(language), language)
        case let failure as APIFailure: self.init(failure, language)
        case let failure as StoreError:
            self.init(
                status: failure.status, code: failure.code, sentences: failure.phrase(language), language)
        case let weakness as PasswordVerifier.Weakness:
            self.init(status: 422, code: "weakPassword", sentences: weakness.phrase(language), language)
            field = "password"
        case let failure as EnrolmentError:
            self.init(
                status: failure.status, code: "enrolment", sentences: failure.phrase(language), language)
        case let failure as BundleFailure:
            self.init(
                status: failure.status, code: failure.code, sentences: failure.phrase(language), language)
        case let failure as MoveError:
            self.init(status: failure.status, code: "move", sentences: failure.phrase(language), language)
        case let failure as RevocationError:
            self.init(status: failure.status, code: "revocation", sentences: failure.phrase(language), language)
        case let failure as RootError:
            self.init(status: failure.status, code: "root", sentences: failure.phrase(language), language)
        case let problem as FileProblem:
            self.init(status: 422, code: "file", message: "\(problem)", next: ErrorTexts.correctFile(language))
        case let problem as ImportOptionProblem:
            self.init(status: 400, code: "importOption", message: "\(problem)", next: ErrorTexts.seeHelp(language))
        case let error as RuntimeError:
            switch error {
            case .unknownPeer(let site): self.init(.noSuchPeer(site.rawValue), language)
            }
        case let error as TransportError:
            self.init(status: 502, code: "transport", message: "\(error)", next: ErrorTexts.tryAgain(language))
        case let error as HTTPError:
            if error.status == .notFound {
                self.init(.noSuchRoute(""), language)
            } else if error.status == .contentTooLarge {
                self.init(.bodyTooLarge(bytesMax: RequestLimits.bodyBytesMax), language)
            } else {
                self.init(status: error.status.code, code: "http", message: error.body ?? "\(error.status)")
            }
        default:
            self.init(status: 500, code: "failed", message: "\(error)", next: ErrorTexts.runDoctor(language))
        }
    }

    private init(_ failure: APIFailure, _ language: Language) {
        self.init(status: failure.status, code: failure.code, sentences: failure.phrase(language), language)
        switch failure {
        case .malformed(let field, _): self.field = field
        case .ambiguousNumber(_, let tickets): candidates = tickets
        case .unreadableBody, .bodyTooLarge, .noSuchTicket, .noSuchAccount, .noSuchPeer, .noSuchJob, .jobRunning,
            .noSuchConflict, .notRunning, .forbidden, .noSuchRoute, .unreachable, .socketPathTooLong,
            .mayNotReveal, .outOfScope, .nothingToReveal:
            break
        }
    }

    /// A text of two sentences: the fault, and what to do.
    private init(status: Int, code: String, sentences text: String, _ language: Language) {
        let end: String =
            switch language {
            case .chinese: "。"
            case .english: ". "
            }
        let parts = text.split(separator: end, maxSplits: 1, omittingEmptySubsequences: true).map(String.init)
        guard parts.count == 2 else {
            self.init(status: status, code: code, message: text)
            return
        }
        self.init(
            status: status, code: code, message: parts[0] + end.trimmingSuffix { $0 == " " }, next: parts[1])
    }
}

extension StringProtocol {
    /// Without the characters at its end that match.
    func trimmingSuffix(_ isTrimmed: (Character) -> Bool) -> String {
        var text = String(self)
        while let last = text.last, isTrimmed(last) { text.removeLast() }
        return text
    }
}

internal import HTTPTypes

/// Why the console does not do what was asked; each has a status and a text with the next step.
enum ConsoleFailure: Error, Hashable {
    case notFound
    case noSuchTicket
    /// The account's role may not.
    case forbidden
    /// The form's token is not the session's, or another site sent the form.
    case foreignForm
    case formTooLarge
    case unsupportedForm
    case methodNotAllowed
    case internalError

    var status: HTTPResponse.Status {
        switch self {
        case .notFound, .noSuchTicket: .notFound
        case .forbidden, .foreignForm: .forbidden
        case .formTooLarge: .contentTooLarge
        case .unsupportedForm: .unsupportedMediaType
        case .methodNotAllowed: .methodNotAllowed
        case .internalError: .internalServerError
        }
    }

    /// Key of its text.
    var text: String {
        switch self {
        case .notFound: "fail_not_found"
        case .noSuchTicket: "fail_no_such_ticket"
        case .forbidden: "fail_forbidden"
        case .foreignForm: "fail_foreign_form"
        case .formTooLarge: "fail_form_too_large"
        case .unsupportedForm: "fail_unsupported_form"
        case .methodNotAllowed: "fail_method"
        case .internalError: "fail_internal"
        }
    }
}

/// Input that cannot be read; what was typed is shown again beside the text.
enum ConsoleInputFailure: Error, Hashable {
    case unknownAction
    case invalidTime
    case invalidSite
    case invalidValue
    case missingValue
    case noSuchNumber
    case staleForm

    var text: String {
        switch self {
        case .unknownAction: "input_unknown_action"
        case .invalidTime: "input_time"
        case .invalidSite: "input_site"
        case .invalidValue: "input_value"
        case .missingValue: "input_missing"
        case .noSuchNumber: "input_number"
        case .staleForm: "input_stale"
        }
    }
}

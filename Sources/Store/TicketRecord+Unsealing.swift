package import Replication
package import Tickets

/// Why a personal value is not shown.
package enum Withheld: String, Sendable, Hashable, Codable, CaseIterable {
    /// Its key has not come yet.
    case notHere
    /// Its key is gone, everywhere.
    case erased
    /// It does not open with its key: whoever wrote it has sealed something else.
    case unreadable
}

extension TicketRecord {
    /// What an operation says, with personal values in clear where their keys are here. The one place where sealed values
    /// are opened for people to read; nothing of it is ever stored.
    /// - Returns: nil for a kind or body that this version cannot read.
    package func body(of operation: Operation) -> Body? {
        switch try? Body(decoding: operation) {
        case nil: nil
        case .open(var body):
            {
                guard let sealed = body.sealedCustomerLabel,
                    case .text(let text) = shown(sealed, of: .customerLabel, in: operation)
                else { return .open(body) }
                body.customerLabel = text
                body.sealedCustomerLabel = nil
                return .open(body)
            }()
        case .setField(var body):
            {
                guard case .sealed(let sealed) = body.value else { return .setField(body) }
                body.value = shown(sealed, of: body.field, in: operation)
                return .setField(body)
            }()
        case let body?: body
        }
    }

    private func shown(_ sealed: SealedValue, of field: Field, in operation: Operation) -> SetFieldBody.Value {
        guard case .held(let secret) = keys[sealed.key],
            let text = sealed.open(with: secret, at: SealedPlace(entity: operation.entity, field: field.rawValue))
        else { return .sealed(sealed) }
        return .text(text)
    }

    /// Of a value that `body(of:)` has left sealed.
    package func withheld(_ sealed: SealedValue) -> Withheld {
        switch keys[sealed.key] {
        case .wanted, nil: .notHere
        case .erased: .erased
        case .held: .unreadable
        }
    }
}

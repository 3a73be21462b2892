internal import Tickets

/// A form as the template draws it: a heading that opens it, fields, and a button.
struct FormModel {
    struct Option {
        var value: String
        var text: String
        var isSelected = false
    }

    struct Input {
        enum Shape { case line, area, select, instant, check, password }

        var name: String
        var id: String
        var label: String
        var value: String
        var isLine = false
        var isArea = false
        var isSelect = false
        var isInstant = false
        var isCheck = false
        var isRequired: Bool
        var isChecked = false
        var charactersMax: Int
        var options: [Option]
        /// Id of a list of proposals.
        var proposals: String
        var hint: String?

        init(
            _ name: String, form: String, label: String, value: String, shape: Shape = .line, required: Bool = false,
            charactersMax: Int = 200, options: [Option] = [], proposals: String = "", hint: String = ""
        ) {
            self.name = name
            id = "\(form)-\(name)"
            self.label = label
            self.value = value
            isRequired = required
            self.charactersMax = charactersMax
            self.options = options.map { Option(value: $0.value, text: $0.text, isSelected: $0.value == value) }
            self.proposals = proposals
            self.hint = hint.isEmpty ? nil : hint
            switch shape {
            case .line, .password: isLine = true
            case .area: isArea = true
            case .select: isSelect = true
            case .instant: isInstant = true
            case .check:
                isCheck = true
                isChecked = value == "1"
            }
        }
    }

    var action: String
    var heading: String
    var submit: String
    /// Shown unfolded: the next step, or what was refused a moment ago.
    var isExpanded = false
    var isPrimary = false
    var target: String
    var version = ""
    var subject = ""
    var inputs: [Input] = []
}

package import Tickets

/// One text in the languages of those who read it.
package struct Phrase: Sendable, Hashable {
    package let chinese: String
    package let english: String

    package init(_ chinese: String, _ english: String) {
        self.chinese = chinese
        self.english = english
    }

    package func callAsFunction(_ language: Language) -> String {
        switch language {
        case .chinese: chinese
        case .english: english
        }
    }
}

extension Language {
    /// By the first of an `Accept-Language` header's ranges; English if there is none or it is another language.
    package init(acceptLanguage header: String?) {
        let first = header?.split(separator: ",").first.map(String.init) ?? ""
        self = first.lowercased().hasPrefix("zh") ? .chinese : .english
    }

    /// As POSIX programs choose it: LC_ALL, then LC_MESSAGES, then LANG.
    package init(environment: [String: String]) {
        let value = ["LC_ALL", "LC_MESSAGES", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        self = (value ?? "").lowercased().hasPrefix("zh") ? .chinese : .english
    }
}

internal import Transport

/// What a line that fails says to an office that has missed the replacing of a root.
/// Source: Protocols/trust.md §10.
enum RootHint {
    /// - Returns: a sentence to put behind the error; empty if it has nothing to do with roots.
    static func suffix(of error: any Error) -> String {
        let text = "\(error)".lowercased()
        guard signs.contains(where: text.contains) else { return "" }
        return " — one side does not trust the other's root: if the province has replaced its root while this office"
            + " was away, enrol it anew with a token of its parent"
    }

    /// OpenSSL's words for a chain that leads nowhere: its own finding, and the alert that the other side sends.
    private static let signs = [
        "unknown ca", "unable to get local issuer", "unable to get issuer", "self-signed certificate in",
    ]
}

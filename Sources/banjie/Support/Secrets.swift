import Foundation

/// Reads secrets: from a terminal without echo, otherwise from standard input. Never from arguments, which other users
/// of the machine can see.
enum Secrets {
    /// A terminal is asked twice.
    /// - Returns: nil if there is none, or the two do not agree.
    static func password(_ prompt: String, confirming: String) -> String? {
        guard isatty(STDIN_FILENO) == 1 else { return readLine(strippingNewline: true) }
        guard let first = ask(prompt) else { return nil }
        return ask(confirming) == first ? first : nil
    }

    private static func ask(_ prompt: String) -> String? {
        FileHandle.standardError.write(Data(prompt.utf8))
        var former = termios()
        guard tcgetattr(STDIN_FILENO, &former) == 0 else { return nil }
        var silent = former
        silent.c_lflag &= ~tcflag_t(ECHO)
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0 else { return nil }
        defer {
            _ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &former)
            FileHandle.standardError.write(Data("\n".utf8))
        }
        return readLine(strippingNewline: true)
    }
}

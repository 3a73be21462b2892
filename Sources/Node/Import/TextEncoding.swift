internal import Foundation

/// How a file's characters are written.
enum TextEncoding: String, Sendable, CaseIterable {
    case utf8 = "utf-8"
    case gb18030
    case latin1 = "iso-8859-1"
    case windows1252 = "windows-1252"

    /// The system's `iconv` does the work.
    func convertToUTF8(_ bytes: [UInt8], path: String) throws(FileProblem) -> [UInt8] {
        guard let converter = iconv_open("UTF-8", rawValue.uppercased()), Int(bitPattern: converter) != -1 else {
            throw FileProblem(
                path: path, line: 0,
                expected: "UTF-8: this system cannot convert \(rawValue); convert the file yourself")
        }
        defer { iconv_close(converter) }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 2)
        var source = bytes
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        let failedAt = source.withUnsafeMutableBytes { raw -> Int? in
            var input = raw.bindMemory(to: CChar.self).baseAddress
            var inputLeft = raw.count
            while inputLeft > 0 {
                let (written, status, code) = buffer.withUnsafeMutableBytes { out in
                    var output = out.bindMemory(to: CChar.self).baseAddress
                    var outputLeft = out.count
                    let status = iconv(converter, &input, &inputLeft, &output, &outputLeft)
                    return (out.count - outputLeft, status, errno)
                }
                result.append(contentsOf: buffer[..<written])
                // A full buffer is emptied and filled again; anything else is a byte that does not belong here.
                if status == -1, code != E2BIG { return raw.count - inputLeft }
            }
            return nil
        }
        guard let failedAt else { return result }
        let line = bytes[..<failedAt].count { $0 == UInt8(ascii: "\n") } + 1
        throw FileProblem(path: path, line: line, expected: "\(rawValue); check the mapping's encoding")
    }
}

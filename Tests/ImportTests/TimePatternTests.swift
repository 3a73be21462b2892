@testable import Node
import Testing

@Suite("Times of a log")
struct TimePatternTests {
    @Test(
        "each pattern reads its times",
        arguments: [
            ("yyyy-MM-dd HH:mm:ss.SSS", "2006-01-12 01:19:42.000", 1_137_028_782_000),
            ("yyyy-MM-dd HH:mm:ss.SSS", "2006-01-12 01:19:42.5", 1_137_028_782_500),
            ("yyyy-MM-dd'T'HH:mm:ss", "2010-03-31T14:59:42", 1_270_047_582_000),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", "2010-03-31T14:59:42+02:00", 1_270_040_382_000),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", "2010-03-31T14:59:42Z", 1_270_047_582_000),
            ("dd~MM~yy h:mm:ss a", "22-04-15 3:53:50 PM", 1_429_718_030_000),
            ("d~M~yyyy H:mm", "4/8/2015 0:05", 1_438_646_700_000),
            ("d~M~yyyy H:mm", "4.8.2015 0:05", 1_438_646_700_000),
            ("dd-MMM-yy", "04-Aug-15", 1_438_646_400_000),
            ("d/M/yy h:mm a", "1/1/70 12:00 am", 0),
            ("yyyy年M月d日", "2024年2月29日", 1_709_164_800_000),
        ] as [(String, String, Int64)])
    func reads(pattern: String, text: String, expected: Int64) throws {
        #expect(try TimePattern(pattern).milliseconds(text, offsetMinutes: 0) == expected)
    }

    @Test(
        "what is no instant is not taken for one",
        arguments: [
            ("yyyy-MM-dd", "2023-02-29"), ("yyyy-MM-dd", "2023-13-01"), ("yyyy-MM-dd", "2023-1-01"),
            ("yyyy-MM-dd", "2023-01-01 "), ("yyyy-MM-dd HH:mm", "2023-01-01 24:00"),
            ("d~M~yy h:mm a", "1-1-15 13:00 PM"), ("d~M~yy", "1 1 15"), ("yyyy-MM-dd", "1969-12-31"),
        ])
    func refuses(pattern: String, text: String) throws {
        #expect(try TimePattern(pattern).milliseconds(text, offsetMinutes: 0) == nil)
    }

    @Test("a local time lies its offset before UTC")
    func offset() throws {
        #expect(try TimePattern("yyyy-MM-dd HH:mm").milliseconds("1970-01-01 08:00", offsetMinutes: 480) == 0)
    }

    @Test("a pattern says what it lacks", arguments: ["yyyy-MM", "QQ yyyy-MM-dd", "yyyy-MM-dd hh:mm", "yyyy-MM-dd'T"])
    func pattern(text: String) {
        #expect(throws: TimePattern.Problem.self) { try TimePattern(text) }
    }
}

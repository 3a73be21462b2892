import Testing

@testable import Transport

@Suite("Numbers of a client's streams")
struct ClientStreamsTests {
    /// The answers for these numbers, in their order.
    private func answers(_ streams: inout ClientStreams, _ numbers: [Int32]) -> [Bool] {
        var result: [Bool] = []
        for number in numbers { result.append(streams.mayHaveHeaders(number)) }
        return result
    }

    @Test("a number that was left out may have no HEADERS, one that was used may")
    func gap() {
        var streams = ClientStreams()
        #expect(answers(&streams, [1, 3, 9]) == [true, true, true])
        #expect(answers(&streams, [5, 7]) == [false, false])
        #expect(answers(&streams, [1, 3, 9, 11]) == [true, true, true, true])
    }

    @Test("of too many gaps the lowest is forgotten")
    func bound() {
        var streams = ClientStreams()
        let used = (1...Int32(ClientStreams.gapsMax) + 1).map { $0 * 4 + 1 }
        #expect(!answers(&streams, used).contains(false))
        #expect(answers(&streams, [1, 3]) == [true, true])
        #expect(!answers(&streams, used.dropFirst().map { $0 - 2 }).contains(true))
    }
}

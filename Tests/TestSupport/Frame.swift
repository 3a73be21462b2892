package import NIOCore

/// A frame as it was received, and the bytes of frames to send (RFC 9113 §6).
package struct Frame: Sendable, Equatable {
    package var type: UInt8
    package var flags: UInt8
    package var stream: UInt32
    package var payload: [UInt8]

    /// The whole frames in what was received; the rest of one that is not complete is left out.
    package static func all(in bytes: ByteBuffer) -> [Frame] {
        var rest = bytes
        var result: [Frame] = []
        while let head = rest.readBytes(length: 9) {
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            guard let payload = rest.readBytes(length: length) else { break }
            result.append(
                Frame(
                    type: head[3], flags: head[4], stream: head[5...].reduce(0) { $0 << 8 | UInt32($1) },
                    payload: payload))
        }
        return result
    }

    /// The 32 bits of the payload that begin there; 0 beyond its end.
    package func number(at offset: Int) -> UInt32 {
        guard payload.count >= offset + 4 else { return 0 }
        return payload[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    package static let dataType: UInt8 = 0
    package static let headersType: UInt8 = 1
    package static let priorityType: UInt8 = 2
    package static let resetType: UInt8 = 3
    package static let settingsType: UInt8 = 4
    package static let pushPromiseType: UInt8 = 5
    package static let pingType: UInt8 = 6
    package static let goAwayType: UInt8 = 7
    package static let windowUpdateType: UInt8 = 8
    package static let continuationType: UInt8 = 9

    package static func bytes(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        [UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 0xff), UInt8(payload.count & 0xff), type, flags]
            + number(stream) + payload
    }

    package static func number(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 0xff), UInt8(value >> 8 & 0xff), UInt8(value & 0xff)]
    }

    package static let acknowledgement: UInt8 = 1
    package static let endStream: UInt8 = 1
    package static let endHeaders: UInt8 = 4
    package static let padded: UInt8 = 8
    package static let prioritized: UInt8 = 0x20

    package static func data(_ stream: UInt32, _ payload: [UInt8] = [], flags: UInt8 = 0) -> [UInt8] {
        bytes(dataType, flags: flags, stream: stream, payload)
    }
    /// Fields of POST, https, / and the authority "a", in HPACK.
    package static let post: [UInt8] = [0x83, 0x87, 0x84, 0x41, 1, 0x61]

    package static func headers(_ stream: UInt32, _ block: [UInt8] = post, flags: UInt8 = endHeaders) -> [UInt8] {
        bytes(headersType, flags: flags, stream: stream, block)
    }
    package static func priority(_ stream: UInt32) -> [UInt8] { bytes(priorityType, stream: stream, [0, 0, 0, 0, 10]) }
    package static func reset(_ stream: UInt32) -> [UInt8] { bytes(resetType, stream: stream, number(8)) }
    package static func settings() -> [UInt8] { bytes(settingsType) }
    package static func ping(isAnswer: Bool = false) -> [UInt8] {
        bytes(pingType, flags: isAnswer ? 1 : 0, [0, 0, 0, 0, 0, 0, 0, 1])
    }
    package static func goAway() -> [UInt8] { bytes(goAwayType, number(0) + number(0)) }
    package static func windowUpdate(_ stream: UInt32, by bytes: UInt32 = 1) -> [UInt8] {
        Self.bytes(windowUpdateType, stream: stream, number(bytes))
    }
    package static func continuation(_ stream: UInt32, _ block: [UInt8] = [], flags: UInt8 = 0) -> [UInt8] {
        bytes(continuationType, flags: flags, stream: stream, block)
    }
}

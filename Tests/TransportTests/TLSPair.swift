import NIOCore

@testable import Transport

/// Two TLS sessions back to back, fed in pieces of a chosen size.
final class TLSPair {
    let client: TLSSession
    let server: TLSSession
    var clientPlaintext = ByteBuffer()
    var serverPlaintext = ByteBuffer()
    var clientError: TransportError?
    var serverError: TransportError?
    let pieceBytes: Int

    init(client: TLSContext, server: TLSContext, expecting: ExpectedPeer, pieceBytes: Int = 1 << 20) throws {
        self.client = try TLSSession(context: client, expectedPeer: expecting)
        self.server = try TLSSession(context: server)
        self.pieceBytes = pieceBytes
        try self.client.start()
    }

    /// Carries bytes until neither side has any.
    func run() {
        while true {
            var isMoving = false
            if let bytes = client.takeOutput() {
                isMoving = true
                feed(bytes, server, &serverPlaintext, &serverError)
            }
            if let bytes = server.takeOutput() {
                isMoving = true
                feed(bytes, client, &clientPlaintext, &clientError)
            }
            if !isMoving { return }
        }
    }

    private func feed(
        _ bytes: ByteBuffer, _ session: TLSSession, _ plaintext: inout ByteBuffer, _ failure: inout TransportError?
    ) {
        var bytes = bytes
        while let piece = bytes.readSlice(length: min(pieceBytes, bytes.readableBytes)), piece.readableBytes > 0 {
            do throws(TransportError) {
                try session.receive(piece, plaintext: &plaintext)
            } catch {
                if failure == nil { failure = error }
                return
            }
        }
    }
}

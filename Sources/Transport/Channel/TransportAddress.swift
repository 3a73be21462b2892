import NIOCore

/// Where to listen or dial.
package enum TransportAddress: Sendable, Hashable, CustomStringConvertible {
    /// A host name or IP address and a port; port 0 lets the system choose one for a listener.
    case hostPort(String, Int)
    /// The path of a local socket, at most 107 octets. Its folder's mode is the caller's affair.
    case unixSocket(String)

    package var description: String {
        switch self {
        case .hostPort(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unixSocket(let path): "unix:\(path)"
        }
    }
}

/// Who is at the other end of a connection.
package struct ConnectionPeer: Sendable, Hashable {
    /// A process on this machine, as the kernel saw it when it connected.
    package struct LocalProcess: Sendable, Hashable {
        package let uid: UInt32
        package let gid: UInt32
        package let pid: Int32
    }

    /// `192.0.2.7:40112`, or `unix`.
    package let remoteAddress: String
    /// Over TLS, where the peer has shown one.
    package let certificate: PeerCertificate?
    /// On a local socket.
    package let process: LocalProcess?

    package init(remoteAddress: String, certificate: PeerCertificate? = nil, process: LocalProcess? = nil) {
        self.remoteAddress = remoteAddress
        self.certificate = certificate
        self.process = process
    }

    init(channel: any Channel, certificate: PeerCertificate?, process: LocalProcess?) {
        var text = "unix"
        if let address = channel.remoteAddress, let ip = address.ipAddress, let port = address.port {
            text = TransportAddress.hostPort(ip, port).description
        }
        self.init(remoteAddress: text, certificate: certificate, process: process)
    }
}

internal import Replication
internal import Tickets

extension BundleFailure {
    var status: Int {
        switch self {
        case .file(_, .missing), .standing(_, .neverMet): 404
        case .file(_, .exists), .standing: 409
        case .file(_, .wrongSignature), .sender, .receiver: 403
        case .file: 422
        }
    }

    /// For programs: the fault's own name.
    var code: String {
        let fault: Any =
            switch self {
            case .file(_, let fault): fault
            case .sender(_, let fault): fault
            case .receiver(_, let fault): fault
            case .standing(_, let fault): fault
            }
        return "bundle." + String("\(fault)".prefix { $0 != "(" })
    }

    /// Two sentences: the fault, and the next step.
    var phrase: Phrase {
        switch self {
        case .file(let path, let fault): fault.phrase(path)
        case .sender(let site, let fault): fault.phrase(site)
        case .receiver(let site, let fault): fault.phrase(site)
        case .standing(let site, let fault): fault.phrase(site)
        }
    }
}

extension BundleFailure.FileFault {
    fileprivate func phrase(_ path: String) -> Phrase {
        switch self {
        case .missing: Phrase("没有文件 \(path)。请核对路径。", "There is no file \(path). Check the path.")
        case .noFile:
            Phrase("\(path) 不是文件。请给出同步包文件的路径。", "\(path) is no file. Give the path of the bundle's file.")
        case .exists: Phrase("\(path) 已存在。请换一个文件名。", "\(path) exists already. Choose another name.")
        case .noBundle:
            Phrase(
                "\(path) 不是同步包。请使用 banjie sync bundle create 写出的文件。",
                "\(path) is no bundle. Take a file that `banjie sync bundle create` has written.")
        case .newerVersion(let found, let known):
            Phrase(
                "\(path) 的格式版本为 \(found)，本程序只认识 \(known)。请使用更新的程序。",
                "\(path) has format \(found), this program knows \(known). Use the newer program.")
        case .truncated:
            Phrase(
                "\(path) 不完整。请重新复制该文件，或请发送方重新制作。",
                "\(path) is not whole. Copy it again, or have it made again.")
        case .damaged(let part):
            Phrase(
                "\(path) 已损坏（\(part)）。请重新复制该文件，或请发送方重新制作。",
                "\(path) is damaged (\(part)). Copy it again, or have it made again.")
        case .wrongSignature:
            Phrase(
                "\(path) 的签名不符。请重新复制该文件，并确认其来源。",
                "The signature of \(path) is not its sender's. Copy it again, and find out where it comes from.")
        case .own:
            Phrase("\(path) 由本节点制作。请拿到收件方应用。", "\(path) was made by this node. Apply it at its receiver.")
        }
    }
}

extension BundleFailure.SenderFault {
    fileprivate func phrase(_ site: SiteCode) -> Phrase {
        switch self {
        case .untrusted(let reason):
            Phrase(
                "发送方 \(site) 的证书不被本节点信任（\(reason)）。请确认同步包的来源。",
                "The certificate of its sender \(site) is not trusted here (\(reason)). Find out where the bundle comes from."
            )
        case .expired(let notAfter):
            Phrase(
                "发送方 \(site) 的证书已于 \(CivilTime(milliseconds: notAfter).day) 过期。确认来源后用 --allow-expired 应用。",
                "The certificate of its sender \(site) expired on \(CivilTime(milliseconds: notAfter).day). Once you know where the bundle comes from, apply it with --allow-expired."
            )
        case .revoked:
            Phrase(
                "发送方 \(site) 已被吊销。其操作不再收取；请让该办公点重新入网。",
                "Its sender \(site) has been revoked. Nothing is taken from it; let that office enrol anew.")
        case .unrelated(let own):
            Phrase(
                "同步包来自 \(site)，它不是 \(own) 的上级、下级或同级节点。请通过它的上级转交。",
                "The bundle comes from \(site), which is neither parent nor child nor sibling of \(own). Let it go by way of its parent."
            )
        }
    }
}

extension BundleFailure.ReceiverFault {
    fileprivate func phrase(_ site: SiteCode) -> Phrase {
        switch self {
        case .otherSite(let own):
            Phrase(
                "同步包的收件方是 \(site)，本节点是 \(own)。请拿到 \(site) 应用。",
                "The bundle is for \(site), and this is \(own). Apply it at \(site).")
        case .otherNode:
            Phrase(
                "同步包是给 \(site) 的另一个节点或密钥的。请拿到那个节点应用，或与发送方连接一次后请它重新制作。",
                "The bundle is for another node or key of \(site). Apply it there, or let its sender have a session with this node and make another one."
            )
        }
    }
}

extension BundleFailure.StandingFault {
    fileprivate func phrase(_ site: SiteCode) -> Phrase {
        switch self {
        case .gap(let first, let last, let number):
            Phrase(
                "缺少 \(site) 的第 \(first)–\(last) 位置。"
                    + (number > 1 ? "请先应用同一批的第 1–\(number - 1) 个同步包。" : "请先应用 \(site) 更早的同步包，或请它重新制作。"),
                "Positions \(first)–\(last) of the feed of \(site) are missing. "
                    + (number > 1
                        ? "Apply numbers 1–\(number - 1) of the same series first."
                        : "Apply the earlier bundle of \(site) first, or have a new one made."))
        case .differs(let position):
            Phrase(
                "本节点与 \(site) 对第 \(position) 位置之前的内容不一致。请连接一次，让两端核对。",
                "This node and \(site) do not agree on what came before position \(position). Let the two have a session, in which they compare."
            )
        case .otherHistory:
            Phrase(
                "\(site) 持有本节点数据库所没有的本节点操作，即数据库曾被回退。请连接一次，让本节点取回它们。",
                "\(site) holds operations of this node that its database lacks, so the database had been put back. Let the two have a session, in which this node takes them back."
            )
        case .revoked:
            Phrase(
                "\(site) 已被吊销。不能为它制作同步包；请让该办公点重新入网。",
                "\(site) has been revoked. No bundle is sealed for it; let that office enrol anew.")
        case .neverMet:
            Phrase(
                "本节点没有 \(site) 的证书，因为两者还没有连接过。请先连接一次（banjie sync now）。",
                "No certificate of \(site) is kept here, as the two have never had a session. Let them have one first (`banjie sync now`)."
            )
        case .notCompared:
            Phrase(
                "本节点还没有与 \(site) 的当前节点核对过。请先连接一次（banjie sync now）。",
                "This node has not been compared with the present node of \(site). Let them have a session first (`banjie sync now`)."
            )
        }
    }
}

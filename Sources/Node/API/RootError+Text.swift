internal import Replication
internal import Tickets

extension RootError {
    var status: Int {
        switch self {
        case .noRoot: 422
        case .unknownRoot: 404
        case .isRotating, .isNewest, .stillUsed: 409
        }
    }

    func phrase(_ language: Language) -> String {
        let phrase: Phrase
        switch self {
        case .noRoot(let site):
            phrase = Phrase(
                "\(site) 的这个节点没有根密钥。请在省级的第一个节点上执行。",
                "This node of \(site) has no root's key. Do this at the province's first node.")
        case .isRotating(let former):
            phrase = Phrase(
                "已有两个根。请先停用旧根：banjie enrol root retire \(former.prefix(16))；要加快换发证书，请加 --now。",
                "There are two roots already. Retire the former one first: `banjie enrol root retire \(former.prefix(16))`; to have certificates signed anew at once, add --now."
            )
        case .unknownRoot(let fingerprint):
            phrase = Phrase(
                "没有指纹为 \(fingerprint) 的根。请用 banjie enrol root status 查看。",
                "No root has the fingerprint \(fingerprint). See `banjie enrol root status`.")
        case .isNewest(let fingerprint):
            phrase = Phrase(
                "\(fingerprint.prefix(16)) 是现用的根。请先用 banjie enrol root rotate 换根。",
                "\(fingerprint.prefix(16)) is the root in force. Make another one first: `banjie enrol root rotate`.")
        case .stillUsed(let sites):
            let list = sites.prefix(Self.sitesShownMax).map(\.rawValue).joined(separator: ", ")
            let rest = sites.count > Self.sitesShownMax ? " … (\(sites.count))" : ""
            phrase = Phrase(
                "仍有办公点使用旧根的证书：\(list)\(rest)。请等其换发（banjie enrol root rotate --now 可加快），或用 --force；那样它们须重新入网。",
                "Offices still come with certificates of that root: \(list)\(rest). Wait until they have renewed (`banjie enrol root rotate --now` hurries them), or use --force; then they have to be enrolled anew."
            )
        }
        return phrase(language)
    }

    static let sitesShownMax = 10
}

internal import Replication
internal import Tickets

extension RevocationError {
    var status: Int {
        switch self {
        case .notBelow: 422
        case .unknownSite, .unknownReplica, .noOpenToken: 404
        case .severalReplicas, .notHeld, .alreadyRevoked: 409
        }
    }

    func phrase(_ language: Language) -> String {
        let phrase: Phrase
        switch self {
        case .notBelow(let site, let node):
            phrase = Phrase(
                "\(site) 不在 \(node) 之下。吊销须在其上级节点执行。",
                "\(site) is not below \(node). A site is revoked at a node above it.")
        case .unknownSite(let site):
            phrase = Phrase(
                "本节点不知道 \(site) 的任何副本。请核对代码；尚未使用的令牌用 banjie enrol token revoke 作废。",
                "No replica of \(site) is known here. Check the code; a token that was not used yet is revoked with `banjie enrol token revoke`."
            )
        case .unknownReplica(let replica, let site):
            phrase = Phrase(
                "\(replica) 不是 \(site) 的副本。请用 banjie peers replicas \(site) 查看。",
                "\(replica) is no replica of \(site). See `banjie peers replicas \(site)`.")
        case .severalReplicas(let replicas):
            let list = replicas.map(\.description).joined(separator: ", ")
            phrase = Phrase(
                "该办公点有多个副本（\(list)）。请用 --node 指定 --after 所指的副本。",
                "The site has several replicas (\(list)). Say with --node which of them --after is about.")
        case .notHeld(let replica, let sequence, let contiguous):
            phrase = Phrase(
                "本节点没有 \(replica) 的第 \(sequence) 条操作。请给出不大于 \(contiguous) 的序号。",
                "Operation \(sequence) of \(replica) is not here. Name one up to \(contiguous).")
        case .alreadyRevoked(let site):
            phrase = Phrase(
                "\(site) 的已知副本均已吊销。若要提前界限，请加 --after。",
                "Every replica of \(site) that is known is revoked. To make more of it void, add --after.")
        case .noOpenToken(let name):
            phrase = Phrase(
                "没有 \(name) 的可用令牌。请用 banjie enrol token list 查看。",
                "There is no open token \(name). See `banjie enrol token list`.")
        }
        return phrase(language)
    }
}

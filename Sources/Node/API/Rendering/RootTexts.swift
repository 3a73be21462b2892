internal import Tickets

/// Words about the province's roots.
enum RootTexts {
    static let fingerprint = Phrase("指纹", "Fingerprint")
    static let name = Phrase("名称", "Name")
    static let until = Phrase("到期", "Until")
    static let state = Phrase("状态", "State")
    static let newest = Phrase("现用", "in force")
    static let former = Phrase("旧根", "former")
    static let heard = Phrase("最近得知", "Last heard")
    static let never = Phrase("从未连接", "never")
    static let hurries = Phrase("各节点下次连接时即换发证书。", "Every node has its certificate signed anew at its next contact.")
    static let nobody = Phrase(
        "没有节点还在使用旧根的证书。", "No node that is known still comes with certificates of the former root.")

    static func behind(_ count: Int) -> Phrase {
        Phrase("\(count) 个节点仍使用旧根的证书：", "\(count) nodes still come with certificates of the former root:")
    }

    static func retire(_ fingerprint: String) -> Phrase {
        Phrase(
            "可以停用旧根：banjie enrol root retire \(fingerprint)",
            "The former root can be retired: banjie enrol root retire \(fingerprint)")
    }
}

extension RootList {
    static let digitsShown = 16

    package func text(_ presentation: Presentation) -> String {
        func say(_ phrase: Phrase) -> String { presentation.phrase(phrase) }
        var table = TextTable([
            .init(say(RootTexts.fingerprint)), .init(say(RootTexts.name)), .init(say(RootTexts.until)),
            .init(say(RootTexts.state)),
        ])
        for root in roots {
            table.add([
                String(root.fingerprint.prefix(Self.digitsShown)), TextLayout.plain(root.name),
                presentation.time(root.until), say(root.isNewest ? RootTexts.newest : RootTexts.former),
            ])
        }
        var lines = table.lines
        guard let former = roots.last, roots.count > 1 else { return lines.joined(separator: "\n") + "\n" }
        if hurries { lines.append(say(RootTexts.hurries)) }
        if behind.isEmpty {
            lines += [
                say(RootTexts.nobody), say(RootTexts.retire(String(former.fingerprint.prefix(Self.digitsShown)))),
            ]
        } else {
            lines.append(say(RootTexts.behind(behind.count)))
            var nodes = TextTable([
                .init(say(RevocationTexts.site)), .init(say(RevocationTexts.replica)), .init(say(RootTexts.until)),
                .init(say(RootTexts.heard)),
            ])
            for node in behind {
                nodes.add([
                    node.site, node.replica ?? "", presentation.time(node.until),
                    node.heard.map(presentation.time) ?? say(RootTexts.never),
                ])
            }
            lines += nodes.lines
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

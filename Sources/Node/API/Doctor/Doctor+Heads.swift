internal import Replication
internal import Store
internal import Tickets

// Whether what was passed on is what its authors have signed.
extension Doctor {
    func heads() async throws -> [Finding] {
        let records = try await services.read { try reader.heads() }
        let alarms = records.filter(\.state.isAlarm).map(difference)
        return alarms + silences(among: records.filter { $0.site != services.node.identity.site })
    }

    private func difference(_ record: HeadRecord) -> Finding {
        let state = HeadTexts.describe("\(record.state)")
        return finding(
            .historyDiffers, about: record.site.rawValue,
            Phrase(
                "\(record.site)（副本 \(record.head.replica)）签名的历史：\(state(.chinese))",
                "What \(record.site) (replica \(record.head.replica)) has signed of its history: \(state(.english))"),
            next: Phrase(
                "不要相信其上级转发的内容：直接联系 \(record.site)，用 banjie sync bundle 取其原始操作比对；查明后运行 banjie sync heads --forget \(record.head.replica)。",
                "Do not believe what its parent passes on: call \(record.site), compare with a bundle made there (`banjie sync bundle create`), and when it is cleared up run `banjie sync heads --forget \(record.head.replica)`."
            ))
    }

    /// Of a site only its latest incarnation: the others have ended.
    private func silences(among records: [HeadRecord]) -> [Finding] {
        Dictionary(grouping: records, by: \.site).values.compactMap { site in
            guard let last = site.max(by: { $0.head.time < $1.head.time }),
                now - last.head.time > Alarms.headSilentMillisecondsMax
            else { return nil }
            let time = Instant(last.head.time).text
            return finding(
                .historySilent, about: last.site.rawValue,
                Phrase(
                    "\(last.site) 自 \(time) 起没有新的签名：它已离线，或其上级扣留了它的操作",
                    "\(last.site) has signed nothing new since \(time): it is off, or its parent keeps its operations back"
                ),
                next: Phrase("联系 \(last.site)，核对它是否在线。", "Call \(last.site) and ask whether it is connected."))
        }.sorted { ($0.subject ?? "") < ($1.subject ?? "") }
    }
}

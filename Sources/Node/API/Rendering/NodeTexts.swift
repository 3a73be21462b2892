internal import Replication
internal import Store

/// Words about nodes, their peers and their upkeep.
enum NodeTexts {
    static let site = Phrase("办公点", "Site")
    static let replica = Phrase("副本", "Replica")
    static let parent = Phrase("上级", "Parent")
    static let running = Phrase("运行中", "running")
    static let stopped = Phrase("未运行", "not running")
    static let tickets = Phrase("工单", "Tickets")
    static let operations = Phrase("操作", "Operations")
    static let parked = Phrase("暂存待证", "Parked")
    static let conflicts = Phrase("冲突", "Conflicts")
    static let contested = Phrase("双派", "Contested")
    static let follows = Phrase("接续", "Follows")
    static let damaged = Phrase("损坏行", "Damaged rows")
    static let waiting = Phrase("待重新写入", "to be issued again")
    static let digest = Phrase("摘要", "Digest")
    static let searchBacklog = Phrase("检索落后", "Search backlog")
    static let overdue = Phrase("已超时", "Overdue")
    static let warning = Phrase("预警", "Near limit")
    static let listeners = Phrase("监听", "Listening")
    static let peers = Phrase("对端", "Peers")
    static let noPeers = Phrase("没有对端。", "No peers.")
    static let peer = Phrase("对端", "Peer")
    static let link = Phrase("连接", "Link")
    static let toSend = Phrase("待发", "To send")
    static let toGet = Phrase("待收", "To get")
    static let asOf = Phrase("截至", "As of")
    static let clock = Phrase("时钟差", "Clock")
    static let roundTrip = Phrase("往返", "Round trip")
    static let failure = Phrase("最近失败", "Last failure")
    static let connected = Phrase("已连接", "connected")
    static let disconnected = Phrase("未连接", "not connected")
    static let paused = Phrase("已暂停", "paused")
    static let since = Phrase("自", "since")
    static let neverConnected = Phrase("尚未连接过", "never connected")
    static let attention = Phrase("需要处理", "Needs attention")
    static let child = Phrase("下级", "child")
    static let superior = Phrase("上级", "parent")
    static let audit = Phrase("核对", "Audit")
    static let auditing = Phrase("正在核对", "auditing")
    static let sibling = Phrase("同级节点", "sibling")

    static func role(_ role: String) -> Phrase {
        switch role {
        case "parent": superior
        case "sibling": sibling
        default: child
        }
    }
    static let name = Phrase("用户", "Name")
    static let role = Phrase("角色", "Role")
    static let department = Phrase("部门", "Department")
    static let created = Phrase("建立", "Created")
    static let noAccounts = Phrase(
        "没有用户。用 banjie user add NAME 添加。", "No users. Add one with `banjie user add NAME`.")
    static let healthy = Phrase("一切正常。", "All is well.")
    static let next = Phrase("下一步", "Next")
    static let folder = Phrase("数据目录", "Folder")
    static let fingerprint = Phrase("证书指纹", "Fingerprint")
    static let validUntil = Phrase("证书有效至", "Valid until")

    /// Why an incarnation began.
    static func incarnation(_ reason: String) -> Phrase {
        switch IncarnationReason(rawValue: reason) {
        case .restored: Phrase("由备份恢复", "a backup was restored")
        case .rolledBack: Phrase("数据库曾被回退", "the database had been put back")
        case .forked: Phrase("另有副本以同一身份写入", "another copy wrote under the same identity")
        case .cloned: Phrase("目录被复制或移到另一台机器", "the folder was copied or moved to another machine")
        case .requested: Phrase("人工要求", "it was asked for")
        case nil: Phrase(reason, reason)
        }
    }

    static func reason(_ reason: Degradation.Reason) -> Phrase {
        switch reason {
        case .peerDisconnected: Phrase("未连接", "is not connected")
        case .peerPaused: Phrase("同步已暂停", "sync is paused")
        case .storesDiffer:
            Phrase("条操作两次核对仍不一致：运行 banjie sync verify", "operations differ after two audits: run `banjie sync verify`")
        case .certificateExpiring:
            Phrase("天后证书到期：运行 banjie doctor", "days until a certificate expires: run `banjie doctor`")
        case .operationsParked: Phrase("条操作暂存待证：运行 banjie doctor", "operations are parked: run `banjie doctor`")
        case .rowsDamaged: Phrase("行操作已损坏：运行 banjie scrub", "rows of the log are damaged: run `banjie scrub`")
        case .searchBehind: Phrase("条操作尚未进入检索", "operations are not searchable yet")
        case .clockOffset: Phrase("毫秒时钟差：启用 NTP", "ms clock offset: turn NTP on")
        }
    }
}

/// Words about punctuality.
enum AssessmentTexts {
    static let onTime = Phrase("及时率", "On time")
    static let met = Phrase("按时", "Met")
    static let late = Phrase("超时", "Late")
    static let overdue = Phrase("未完已超时", "Open, overdue")
    static let uncertain = Phrase("不确定", "Uncertain")
    static let contested = Phrase("争议", "Contested")
    static let mean = Phrase("平均用时", "Mean time")
    static let total = Phrase("合计", "Total")
    static let empty = Phrase("此范围内没有到期的环节。", "Nothing fell due in this range.")
    static let note = Phrase(
        "不确定与争议不计入分母；未完已超时计为超时。",
        "Uncertain and contested ones are outside the denominator; open and overdue ones count as late.")

    static func grouping(_ name: String) -> Phrase {
        switch name {
        case "site": Phrase("办公点", "Site")
        case "department": Phrase("部门", "Department")
        case "category": Phrase("分类", "Category")
        case "step": Phrase("环节", "Step")
        case "day": Phrase("日期", "Day")
        default: Phrase(name, name)
        }
    }
}

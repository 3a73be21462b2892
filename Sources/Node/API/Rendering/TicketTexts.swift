internal import Replication
internal import ServiceLevels
internal import Store
internal import Tickets

/// Words about tickets, by the names that the API uses.
enum TicketTexts {
    static let ticket = Phrase("工单", "Ticket")
    static let number = Phrase("单号", "Number")
    static let title = Phrase("标题", "Title")
    static let status = Phrase("状态", "Status")
    static let holder = Phrase("持有", "Held by")
    static let opened = Phrase("建单", "Opened")
    static let openedBy = Phrase("受理", "Taken by")
    static let due = Phrase("下一时限", "Next limit")
    static let flags = Phrase("标记", "Flags")
    static let urgency = Phrase("紧急程度", "Urgency")
    static let category = Phrase("分类", "Category")
    static let none = Phrase("没有工单。", "No tickets.")
    static let more = Phrase("还有更多，请用 --offset 翻页。", "There are more: go on with --offset.")
    static let searchBehind = Phrase("条操作尚未进入检索", "operations are not searchable yet")
    static let pending = Phrase("建单操作尚未到达，等待同步。", "The operation that opened it is still on its way.")
    static let frozen = Phrase(
        "含有本版本不认识的关键操作：可查看，升级后才能处理。",
        "It holds a critical entry that this version does not know: nobody edits it before an upgrade.")
    static let frozenByDamage = Phrase(
        "这条关键操作在本节点磁盘上已损坏：可查看，从对端取回完好副本后才能处理（banjie scrub 查看）。",
        "This critical entry is damaged on the node's disk: nobody edits the ticket before a peer has brought a sound copy (see `banjie scrub`)."
    )
    static let custody = Phrase("流转", "Custody")
    static let clocks = Phrase("时钟", "Clocks")
    static let customerClock = Phrase("客户", "customer")
    static let ticketClock = Phrase("工单", "ticket")
    static let linkClock = Phrase("链路", "link")
    static let limits = Phrase("时限", "Limits")
    static let timeline = Phrase("经过", "Timeline")
    static let conflicts = Phrase("冲突", "Conflicts")
    static let contested = Phrase("双派待裁定", "Contested transfers")
    static let settled = Phrase("双派（已裁定）", "Contested transfers (settled)")
    static let chases = Phrase("催办", "Chases")
    static let fields = Phrase("字段", "Fields")
    static let tags = Phrase("标签", "Tags")
    static let watchers = Phrase("关注", "Watchers")
    static let twins = Phrase("合并工单", "Twins")
    static let version = Phrase("版本", "Version")
    static let cycle = Phrase("轮次", "cycle")
    static let accepted = Phrase("接单", "accepted")
    static let replied = Phrase("回单", "replied")
    static let underway = Phrase("在途", "on its way")
    static let left = Phrase("转出", "left")
    static let shown = Phrase("显示", "shown")
    static let counting = Phrase("暂计", "counts now")
    static let acceptedMark = Phrase("已接单", "accepted")
    static let arbiter = Phrase("裁定方", "Decided by")
    static let resolveWith = Phrase("解决", "Resolve")
    static let settleWith = Phrase("裁定", "Settle")
    static let locked = Phrase("往返过多，只能由该处裁定去向", "went back and forth too often; only this site may send it on")
    static let promised = Phrase("承诺", "promised")
    static let unanswered = Phrase("未答复", "unanswered")
    static let answered = Phrase("已答复", "answered")
    static let acknowledged = Phrase("已签收", "acknowledged")
    static let undelivered = Phrase("未送达", "not delivered")
    static let operations = Phrase("操作", "operations")
    static let noConflicts = Phrase("没有冲突。", "No conflicts.")
    static let time = Phrase("时间", "Time")
    static let who = Phrase("操作人", "Who")
    static let site = Phrase("地点", "Site")
    static let what = Phrase("内容", "What")
    static let dot = Phrase("操作号", "Operation")
    static let hash = Phrase("哈希", "Hash")
    static let conflictFlag = Phrase("冲突", "conflict")
    static let contestedFlag = Phrase("双派", "contested")
    static let chaseFlag = Phrase("催办", "chased")
    static let undeliveredFlag = Phrase("在途", "in transit")
    static let written = Phrase("已写入", "Written")

    static func status(_ name: String) -> Phrase {
        switch TicketStatus(apiName: name) {
        case .open: Phrase("待处理", "open")
        case .inProgress: Phrase("处理中", "in progress")
        case .replied: Phrase("已回单", "replied")
        case .fedBack: Phrase("已反馈", "fed back")
        case .closed: Phrase("已办结", "closed")
        case nil: Phrase(name, name)
        }
    }

    static func urgency(_ name: String) -> Phrase {
        switch Urgency(apiName: name) {
        case .unknown, nil: Phrase("", "")
        case .urgent: Phrase("紧急", "urgent")
        case .high: Phrase("高", "high")
        case .middle: Phrase("中", "middle")
        case .low: Phrase("低", "low")
        }
    }

    static func verdict(_ name: String) -> Phrase {
        switch VerdictState(apiName: name) {
        case .met: Phrase("按时", "met")
        case .running: Phrase("进行中", "running")
        case .warning: Phrase("预警", "warning")
        case .late: Phrase("超时完成", "late")
        case .overdue: Phrase("已超时", "overdue")
        case .uncertain: Phrase("不确定", "uncertain")
        case .contested: Phrase("争议中", "contested")
        case nil: Phrase(name, name)
        }
    }

    static func subject(_ name: String) -> Phrase {
        switch Step(apiName: name) {
        case .dispatch: Phrase("派单", "dispatch")
        case .redispatch: Phrase("再派单", "re-dispatch")
        case .handling: Phrase("处理", "handling")
        case .reply: Phrase("回单", "reply")
        case .feedback: Phrase("反馈", "feedback")
        case nil:
            switch name {
            case "departmentTotal": Phrase("部门合计", "department total")
            case "ticket": Phrase("全单", "whole ticket")
            default: Phrase(name, name)
            }
        }
    }

    static func variant(_ name: String?) -> Phrase {
        switch name.flatMap({ TransferBody.Variant(apiName: $0) }) {
        case .dispatch: Phrase("派单", "dispatched")
        case .onward: Phrase("转派", "passed on")
        case .returning: Phrase("退单", "returned")
        case nil: Phrase("受理", "taken in")
        }
    }

    /// In place of a personal value.
    static func withheld(_ name: String) -> Phrase {
        switch Withheld(rawValue: name) {
        case .notHere: Phrase("〔未到〕", "[not here yet]")
        case .erased: Phrase("〔已删除〕", "[erased]")
        case .unreadable, nil: Phrase("〔无法读取〕", "[unreadable]")
        }
    }

    static func field(_ name: String) -> Phrase {
        switch name {
        case "title": Phrase("标题", "title")
        case "body": Phrase("内容", "text")
        case "category": Phrase("分类", "category")
        case "urgency": Phrase("紧急程度", "urgency")
        case "channel": Phrase("渠道", "channel")
        case "region": Phrase("归属地", "region")
        case "contact": Phrase("联系人", "contact")
        case "location": Phrase("地点", "location")
        case "occurrenceTime": Phrase("发生时间", "time of occurrence")
        case "expectedResolutionTime": Phrase("期望解决时间", "expected resolution")
        case "relatedSystem": Phrase("关联业务系统", "related system")
        case "cause": Phrase("原因", "cause")
        case "responsibleDepartment": Phrase("责任部门", "responsible department")
        case "responsibleCause": Phrase("责任原因", "responsible cause")
        case "promisedTime": Phrase("承诺时间", "promised time")
        case "business": Phrase("业务", "business")
        case "phenomenon": Phrase("现象", "phenomenon")
        case "extent": Phrase("影响范围", "extent")
        case "customer": Phrase("客户标识", "customer id")
        case "customerLabel": Phrase("客户", "customer")
        default: Phrase(name, name)
        }
    }

    static func kind(_ name: String) -> Phrase {
        switch Kind.allCases.first(where: { $0.apiName == name }) {
        case .open: Phrase("建单", "opened")
        case .setField: Phrase("修改", "set")
        case .transfer: Phrase("流转", "transferred")
        case .delivered: Phrase("送达", "delivered")
        case .accept: Phrase("接单", "accepted")
        case .reply: Phrase("回单", "replied")
        case .feedback: Phrase("反馈客户", "told the customer")
        case .close: Phrase("办结", "closed")
        case .reopen: Phrase("重新打开", "reopened")
        case .chase: Phrase("催办", "chased")
        case .acknowledgeChase: Phrase("签收催办", "acknowledged the chase")
        case .answerChase: Phrase("答复催办", "answered the chase")
        case .note: Phrase("备注", "noted")
        case .settle: Phrase("裁定", "settled")
        case .joinTwins: Phrase("合并", "joined")
        case .separateTwins: Phrase("拆分", "separated")
        case .tag: Phrase("加标签", "tagged")
        case .untag: Phrase("去标签", "untagged")
        case .watch: Phrase("关注", "watched")
        case .announce: Phrase("节点登记", "announced")
        case .catalogDocument: Phrase("目录", "catalog")
        case .revoke: Phrase("吊销", "revoked")
        case .introduceRoot: Phrase("新根证书", "root introduced")
        case .retireRoot: Phrase("停用根证书", "root retired")
        case .proposeErasure: Phrase("申请删除个人信息", "erasure proposed")
        case .confirmErasure: Phrase("确认删除个人信息", "erasure confirmed")
        case .journalAnchor: Phrase("审计锚点", "journal anchored")
        case nil: Phrase("未知操作 \(name)", "unknown \(name)")
        }
    }
}

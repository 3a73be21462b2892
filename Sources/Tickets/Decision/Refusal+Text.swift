internal import Replication

// Every text names the fault and the next step.
extension Refusal {
    var chinese: String {
        switch self {
        case .missing(let input): "缺少\(input.chinese)。请填写后再提交。"
        case .tooLong(_, let count, let countMax): "内容过长（\(count)，上限 \(countMax)）。请精简，或分成多条备注。"
        case .operationTooLarge(let bytes, let bytesMax): "一次提交 \(bytes) 字节，超过上限 \(bytesMax)。请拆分后分次提交。"
        case .wrongValue(let field): "字段 \(field.rawValue) 的值无效。请按提示的格式重新填写。"
        case .scoreOutOfRange(let score, let scoreMax): "满意度不能是 \(score)。请填 1 到 \(scoreMax)，未询问则填 0。"
        case .noSuchTicket: "本节点没有这张工单。请核对单号，或等待同步后再试。"
        case .alreadyOpened: "这张工单已经建立。请打开原工单处理。"
        case .notHolder(let site, let department): "工单现由 \(site) 的 \(department) 持有，您不能代为操作。请联系该部门，或发起催办。"
        case .custodyMoved(let site, let department): "您查看之后，工单已转到 \(site) 的 \(department)。请刷新后重新判断。"
        case .transferToSelf: "目标部门就是当前持有部门。请选择其他部门，或直接处理。"
        case .nothingToReturn: "工单没有上一环节，不能退单。请改用派单或转派。"
        case .locked(let arbiter): "工单往返次数已达上限，只能由 \(arbiter) 裁定去向。请联系该处仲裁。"
        case .alreadyAccepted(let person): "工单已由 \(person) 接单。请与其协调，或添加备注。"
        case .closed: "工单已办结。如需继续处理，请先重新打开。"
        case .notClosed: "工单尚未办结，无需重新打开。请直接处理。"
        case .closeNeedsReason: "尚未向客户反馈。请先反馈，或填写未反馈即办结的理由。"
        case .noSuchChase: "找不到这条催办。请刷新后重新选择。"
        case .alreadyAnswered: "这条催办已经答复。如有补充，请添加备注。"
        case .noSuchContest: "该环节没有待裁定的双派。请刷新工单。"
        case .notCandidate: "所选转单不在争议之列。请从列出的转单中选择。"
        case .alreadySettled: "这次双派已经裁定。如有异议，请由更高一级裁定。"
        case .levelTooLow(let needed): "此事须由 \(needed) 或其上级决定。请转请该处处理。"
        case .frozen: "工单含有本版本不认识的关键操作，暂不能编辑。请先升级本节点。"
        case .frozenByDamage(let dot):
            "工单的关键操作 \(dot) 在本节点磁盘上已损坏，修复前不能编辑。请让本节点与对端同步以取回完好副本，并用 banjie scrub 查看。"
        case .sameTicket: "不能把工单与其自身合并。请选择另一张工单。"
        case .notJoined: "这两张工单并未合并。请核对单号。"
        case .noSuchTag: "工单没有这个标签。请刷新后重新选择。"
        case .nothingToUndo: "没有可恢复的旧值。请直接填写需要的内容。"
        case .adminOnly: "删除个人信息须由管理员办理。请以 --role admin 的管理员身份操作。"
        case .nothingToErase: "这里没有该客户可删除的个人信息。请核对号码，或等待同步后再试。"
        case .noSuchProposal: "没有这份删除申请。请用 banjie customer erasures 查看，或等待同步后再试。"
        case .samePerson(let name): "\(name) 已提出申请，不能自己确认。请另一位管理员确认。"
        case .alreadyErased: "这份申请已经确认，个人信息已删除。无需再次确认。"
        }
    }

    var english: String {
        switch self {
        case .missing(let input): "The \(input.english) is missing. Fill it in and submit again."
        case .tooLong(_, let count, let countMax):
            "The text is too long (\(count), at most \(countMax)). Shorten it, or spread it over several notes."
        case .operationTooLarge(let bytes, let bytesMax):
            "This entry has \(bytes) bytes, at most \(bytesMax) are allowed. Split it and submit the parts."
        case .scoreOutOfRange(let score, let scoreMax):
            "The score cannot be \(score). Give 1 to \(scoreMax), or 0 if the customer was not asked."
        case .wrongValue(let field):
            "Field \(field.rawValue) does not take this value. Enter it again in the form that is shown."
        case .noSuchTicket: "This node does not have that ticket. Check the number, or try again after the next sync."
        case .alreadyOpened: "This ticket exists already. Open it and go on there."
        case .notHolder(let site, let department):
            "\(department) at \(site) holds the ticket, so you cannot act for it. Call them, or chase the ticket."
        case .custodyMoved(let site, let department):
            "Since you looked, the ticket went to \(department) at \(site). Reload it and decide anew."
        case .transferToSelf: "That department holds it already. Choose another one, or handle it."
        case .nothingToReturn: "Nobody handed this ticket over, so it cannot be returned. Dispatch or transfer it."
        case .locked(let arbiter):
            "The ticket went back and forth too often; only \(arbiter) may send it on. Ask the arbiter there."
        case .alreadyAccepted(let person): "\(person) has accepted the ticket. Agree with them, or add a note."
        case .closed: "The ticket is closed. Reopen it first if work is to go on."
        case .notClosed: "The ticket is not closed, so there is nothing to reopen. Go on with it."
        case .closeNeedsReason:
            "The customer has not been told yet. Give feedback first, or state why it is closed without."
        case .noSuchChase: "There is no such chase. Reload the ticket and choose again."
        case .alreadyAnswered: "This chase has been answered. Add a note if there is more to say."
        case .noSuchContest: "No transfers compete there. Reload the ticket."
        case .notCandidate: "That transfer is not one of the competing ones. Choose one of those listed."
        case .alreadySettled: "These transfers have been settled. Whoever disagrees asks the next higher level."
        case .levelTooLow(let needed): "\(needed) or a site above it decides this. Ask them to."
        case .frozen: "The ticket has a critical entry that this version does not know. Upgrade this node to edit it."
        case .frozenByDamage(let dot):
            "A critical entry of the ticket, \(dot), is damaged on this node's disk. Let the node sync, which brings a sound copy; `banjie scrub` tells whether it has."
        case .sameTicket: "A ticket cannot be its own twin. Choose another ticket."
        case .notJoined: "These two tickets are not joined. Check the numbers."
        case .noSuchTag: "The ticket does not have this tag. Reload it and choose again."
        case .nothingToUndo: "There is no earlier value to go back to. Enter the one you need."
        case .adminOnly: "Only an admin may have a person erased. Ask one to do it (`--role admin`)."
        case .nothingToErase:
            "There is nothing here of that customer that could be erased. Check the number, or try after the next sync."
        case .noSuchProposal:
            "There is no such proposal. See `banjie customer erasures`, or try again after the next sync."
        case .samePerson(let name): "\(name) has proposed it and cannot confirm it. Ask another admin to."
        case .alreadyErased: "This proposal has been confirmed, and the person erased. There is nothing left to do."
        }
    }
}

extension RequiredInput {
    var chinese: String {
        switch self {
        case .title: "标题"
        case .department: "部门"
        case .returnReason: "退单理由"
        case .reason: "理由"
        case .text: "内容"
        case .tag: "标签"
        case .name: "姓名"
        case .customer: "客户"
        }
    }

    var english: String {
        switch self {
        case .title: "title"
        case .department: "department"
        case .returnReason: "reason for the return"
        case .reason: "reason"
        case .text: "text"
        case .tag: "tag"
        case .name: "name"
        case .customer: "customer"
        }
    }
}

internal import Store
internal import Tickets
internal import Transport

// Statuses, codes and texts of everything that can go wrong, one table for each source of errors. Every text is two
// sentences: the fault, and the next step.

enum ErrorTexts {
    static let tryAgain = Phrase("请检查对端是否在运行后重试。", "Check that the other side runs, then try again.")
    static let correctFile = Phrase("请更正该文件后重试。", "Correct that file and try again.")
    static let seeHelp = Phrase("请用 --help 查看选项。", "See --help for the options.")
    static let runDoctor = Phrase("请运行 banjie doctor。", "Run `banjie doctor`.")
}

extension Refusal {
    var status: Int {
        switch self {
        case .noSuchTicket, .noSuchChase, .noSuchContest, .noSuchTag, .noSuchProposal, .nothingToErase: 404
        case .missing, .tooLong, .operationTooLarge, .wrongValue, .scoreOutOfRange, .sameTicket, .notCandidate,
            .closeNeedsReason:
            422
        case .levelTooLow, .locked, .adminOnly, .samePerson: 403
        case .alreadyOpened, .notHolder, .custodyMoved, .transferToSelf, .nothingToReturn, .alreadyAccepted, .closed,
            .notClosed, .alreadyAnswered, .alreadySettled, .frozen, .frozenByDamage, .notJoined,
            .nothingToUndo, .alreadyErased:
            409
        }
    }

    /// The case's own name.
    var code: String {
        let text = "\(self)"
        return String(text.prefix { $0 != "(" })
    }
}

extension APIFailure {
    var status: Int {
        switch self {
        case .malformed, .unreadableBody: 400
        case .bodyTooLarge: 413
        case .noSuchTicket, .noSuchAccount, .noSuchPeer, .noSuchJob, .noSuchConflict, .noSuchRoute, .nothingToReveal:
            404
        case .ambiguousNumber, .jobRunning: 409
        case .notRunning, .unreachable: 503
        case .forbidden, .mayNotReveal, .outOfScope: 403
        case .socketPathTooLong: 500
        }
    }

    var code: String { String("\(self)".prefix { $0 != "(" }) }

    func phrase(_ language: Language) -> String {
        let phrase: Phrase
        switch self {
        case .malformed(let field, let expected):
            phrase = Phrase("\(field) 无法读取。应为 \(expected)。", "\(field) cannot be read. Expected: \(expected).")
        case .unreadableBody(let reason):
            phrase = Phrase(
                "请求不是有效的 JSON（\(reason)）。请更正后重发。", "The body is no JSON (\(reason)). Correct it and send again.")
        case .bodyTooLarge(let bytesMax):
            phrase = Phrase("请求超过 \(bytesMax) 字节。请拆分后重发。", "The body has more than \(bytesMax) bytes. Split it up.")
        case .noSuchTicket(let reference):
            phrase = Phrase(
                "本节点没有工单 \(reference)。请核对单号，或等待同步后再试。",
                "This node has no ticket \(reference). Check the number, or try again after the next sync.")
        case .ambiguousNumber(let number, let tickets):
            phrase = Phrase(
                "单号 \(number) 对应 \(tickets.count) 张工单。请改用工单标识。",
                "\(number) names \(tickets.count) tickets. Use the id of the one you mean.")
        case .noSuchAccount(let name):
            phrase = Phrase(
                "没有用户 \(name)。请用 banjie user list 查看。", "There is no user \(name). See `banjie user list`.")
        case .noSuchPeer(let site):
            phrase = Phrase(
                "\(site) 不是本节点的对端。请用 banjie sync status 查看。",
                "\(site) is no peer of this node. See `banjie sync status`.")
        case .mayNotReveal(let role):
            phrase = Phrase(
                "角色 \(role) 不能查看完整号码。请由处理该工单的坐席查看。",
                "The role \(role) may not see numbers in full. Ask an agent who works on the ticket.")
        case .outOfScope(let ticket):
            phrase = Phrase(
                "本办公点不参与工单 \(ticket)。请由参与的办公点查看。",
                "This site takes no part in \(ticket). Ask a site that does.")
        case .nothingToReveal(let ticket):
            phrase = Phrase(
                "工单 \(ticket) 在本节点没有可显示的号码。请核对是否已删除，或等待同步。",
                "There is no number of \(ticket) to be shown here. See whether it was erased, or wait for the next sync."
            )
        case .noSuchJob(let id):
            phrase = Phrase("没有任务 \(id)。请重新发起。", "There is no job \(id). Start it again.")
        case .jobRunning(let kind):
            phrase = Phrase("任务 \(kind) 正在进行。请等它结束。", "A \(kind) is running already. Wait for it to end.")
        case .noSuchConflict:
            phrase = Phrase(
                "该字段没有冲突。请用 banjie conflicts list 查看。",
                "That field has no conflict. See `banjie conflicts list`.")
        case .notRunning:
            phrase = Phrase("节点没有运行。请先 banjie run。", "The node does not run. Start it with `banjie run`.")
        case .forbidden:
            phrase = Phrase(
                "此接口只对本机管理员开放。请使用节点所属用户运行命令。",
                "This interface is for the node's own user. Run the command as that user.")
        case .noSuchRoute:
            phrase = Phrase("没有这个接口。请查阅 Protocols/api.yaml。", "There is no such route. See Protocols/api.yaml.")
        case .unreachable(let path, let owner):
            phrase = Phrase(
                "\(path) 由 \(owner) 占用，但它没有应答。请检查该进程，或停止后重试。",
                "\(path) is in use by \(owner), which does not answer. Look at that process, or stop it and try again.")
        case .socketPathTooLong(let path, let bytesMax):
            phrase = Phrase(
                "管理接口路径 \(path) 超过 \(bytesMax) 字节。请把数据目录放到更短的路径。",
                "The socket's path \(path) has more than \(bytesMax) bytes. Move the data folder to a shorter path.")
        }
        return phrase(language)
    }
}

extension StoreError {
    var status: Int {
        switch self {
        case .folderInUse: 503
        case .afterFailure: 503
        case .unknownPeer: 404
        case .outOfScope: 500
        case .notInitialised: 404
        case .alreadyInitialised, .conflictingHistory: 409
        case .damagedBackup, .backupOfOtherSite: 422
        case .corruptRow, .corruptState, .damagedFile, .newerSchema, .file: 500
        case .diskAlmostFull: 507
        case .tooMuchParked: 409
        }
    }

    var code: String {
        switch self {
        case .folderInUse: "folderInUse"
        case .notInitialised: "notInitialised"
        case .alreadyInitialised: "alreadyInitialised"
        case .conflictingHistory: "conflictingHistory"
        case .corruptRow: "corruptRow"
        case .corruptState: "corruptState"
        case .damagedFile: "damagedFile"
        case .newerSchema: "newerSchema"
        case .damagedBackup: "damagedBackup"
        case .backupOfOtherSite: "backupOfOtherSite"
        case .file: "file"
        case .diskAlmostFull: "diskAlmostFull"
        case .afterFailure: "afterFailure"
        case .unknownPeer: "unknownPeer"
        case .outOfScope: "outOfScope"
        case .tooMuchParked: "tooMuchParked"
        }
    }

    func phrase(_ language: Language) -> String {
        let phrase: Phrase
        switch self {
        case .folderInUse(let path, let owner):
            phrase = Phrase(
                "\(path) 由 \(owner) 占用。请通过该进程操作，或先停止它。",
                "\(path) is in use by \(owner). Talk to that process, or stop it first.")
        case .notInitialised(let path):
            phrase = Phrase(
                "\(path) 没有节点。请先运行 banjie init。", "There is no node in \(path). Run `banjie init` there first.")
        case .alreadyInitialised(let path):
            phrase = Phrase(
                "\(path) 已有节点。请换一个目录。", "There is a node in \(path) already. Choose another folder.")
        case .conflictingHistory(let dot, _, _):
            phrase = Phrase(
                "操作 \(dot) 与已存的内容不同，整批未写入。请运行 banjie doctor。",
                "Operation \(dot) differs from the one that is stored, so its batch was not applied. Run `banjie doctor`."
            )
        case .afterFailure:
            phrase = Phrase(
                "同一会话中先前的一批写入失败，会话将重新开始。", "A batch of the same session failed before; it starts again.")
        case .unknownPeer(let peer):
            phrase = Phrase(
                "对端 \(peer) 已被移除，其会话将重新开始。", "Peer \(peer) has been forgotten; its session starts again.")
        case .outOfScope(let dot, let child):
            phrase = Phrase(
                "操作 \(dot) 不在 \(child) 的范围内，未发送。请运行 banjie rebuild。",
                "Operation \(dot) is outside the scope of \(child) and was not sent. Run `banjie rebuild`.")
        case .tooMuchParked(let site, let operations, let bytes):
            let sender = site.map(String.init) ?? "?"
            phrase = Phrase(
                "\(sender) 暂存的操作已达上限（\(operations) 条或 \(bytes) 字节），不再接收。请先运行 banjie parked list 查看原因，再用 banjie parked release 或 banjie parked void 处理。",
                "\(sender) has \(operations) operations or \(bytes) bytes parked here, and nothing more of it is taken. `banjie parked list` says why; then run `banjie parked release` or `banjie parked void`."
            )
        case .damagedFile(let path, let fault):
            phrase = Phrase(
                "\(path) 已损坏（\(fault)）。请停止节点，用 banjie backup restore 恢复最近的完好备份。",
                "\(path) is damaged (\(fault)). Stop the node and put the latest sound backup back with `banjie backup restore`."
            )
        case .corruptRow(let arrival, let dot):
            phrase = Phrase(
                "第 \(arrival) 行（操作 \(dot)）与其哈希不符。请运行 banjie doctor。",
                "Row \(arrival) (operation \(dot)) does not match its hash. Run `banjie doctor`.")
        case .corruptState(let entity, let reason):
            phrase = Phrase(
                "\(entity) 的状态无法读取（\(reason)）。请运行 banjie rebuild。",
                "The state of \(entity) cannot be read (\(reason)). Run `banjie rebuild`.")
        case .newerSchema(let path, let found, let known):
            phrase = Phrase(
                "\(path) 的库版本为 \(found)，本程序只认识 \(known)。请使用更新的程序。",
                "\(path) has schema \(found), this program knows \(known). Use the newer program.")
        case .damagedBackup(let path, let findings):
            phrase = Phrase(
                "\(path) 已损坏（\(findings.first ?? "")）。请用 banjie backup list 另选一个，或用 --force 取其中可读的部分。",
                "\(path) is damaged (\(findings.first ?? "")). Choose another one from `banjie backup list`, or take what can be read with --force."
            )
        case .backupOfOtherSite(let path, let found, let expected):
            phrase = Phrase(
                "\(path) 是 \(found) 的备份，本目录属于 \(expected)。请选择 \(expected) 的备份。",
                "\(path) is a backup of \(found), and this folder belongs to \(expected). Choose one of \(expected).")
        case .file(let path, let operation, let reason):
            phrase = Phrase(
                "\(path)：\(operation) 失败：\(reason)。请检查权限与磁盘空间。",
                "\(path): \(operation) failed: \(reason). Check permissions and free space.")
        case .diskAlmostFull(let path, let freePercentMin):
            phrase = Phrase(
                "\(path) 所在磁盘剩余不足 \(freePercentMin) %，节点只读。请删除旧备份或扩大磁盘。",
                "Less than \(freePercentMin) % of the disk of \(path) is free: the node is read-only. Remove old backups or enlarge the disk."
            )
        }
        return phrase(language)
    }
}

extension PasswordVerifier.Weakness {
    func phrase(_ language: Language) -> String {
        let phrase: Phrase
        switch self {
        case .tooShort(let charactersMin):
            phrase = Phrase(
                "密码太短。至少 \(charactersMin) 个字符。", "The password is too short. Use at least \(charactersMin) characters.")
        case .tooLong(let bytesMax):
            phrase = Phrase("密码太长。最多 \(bytesMax) 字节。", "The password is too long. Use at most \(bytesMax) bytes.")
        case .isName: phrase = Phrase("密码不能与用户名相同。请换一个。", "The password is the user's name. Choose another one.")
        }
        return phrase(language)
    }
}

extension MoveError {
    var status: Int {
        switch self {
        case .unsent: 409
        case .provinceCannotMove, .otherLevel, .notBelow: 422
        }
    }

    func phrase(_ language: Language) -> String {
        let phrase: Phrase
        switch self {
        case .unsent(let count, let peer):
            phrase = Phrase(
                "有 \(count) 条操作尚未送达 \(peer)。请先让节点完成同步，或用 --force。",
                "\(count) operations have not reached \(peer). Let the node sync first, or use --force.")
        case .provinceCannotMove:
            phrase = Phrase("省级节点不能迁移。请检查数据目录。", "A province has no other place. Check the data folder.")
        case .otherLevel(let from, let to):
            phrase = Phrase(
                "\(to) 与 \(from) 不同级。请索取同级代码的令牌。",
                "\(to) is not at the level of \(from). Ask for a token of the same level.")
        case .notBelow(let site, let node):
            phrase = Phrase(
                "\(site) 不在 \(node) 之下。请在两地共同的上级执行。",
                "\(site) is not below \(node). Do this at a node above both places.")
        }
        return phrase(language)
    }
}

extension EnrolmentError {
    var status: Int {
        switch self {
        case .unreadableToken, .notAChild: 422
        case .noAuthority: 403
        case .noListener: 503
        case .refused, .invalidAnswer: 502
        }
    }

    func phrase(_ language: Language) -> String {
        let phrase: Phrase
        switch self {
        case .unreadableToken:
            phrase = Phrase(
                "这不是入网令牌。请使用 banjie enrol token new 写出的文件。",
                "This is no enrolment token. Take the file as `banjie enrol token new` wrote it.")
        case .notAChild(let site, let parent):
            phrase = Phrase(
                "\(site) 不直属于 \(parent)。令牌须由其上级签发。",
                "\(site) is not directly below \(parent). The token has to come from its own parent.")
        case .noAuthority:
            phrase = Phrase(
                "本节点不能签发证书。请在省级或其上级节点制作令牌。",
                "This node signs nobody. Make the token at the province or the region above the office.")
        case .noListener:
            phrase = Phrase(
                "节点没有运行，或入网接口已关闭。请先 banjie run。",
                "The node does not run, or its enrolment listener is off. Start it with `banjie run`.")
        case .refused(let status, let reason):
            phrase = Phrase(
                "签发方拒绝（\(status)：\(reason)）。请索取新的令牌。",
                "The issuer refused (\(status): \(reason)). Ask for a new token.")
        case .invalidAnswer:
            phrase = Phrase(
                "签发方的应答无法读取。请确认两端版本一致。",
                "The issuer's answer cannot be read. Check that both run the same version.")
        }
        return phrase(language)
    }
}

/// Text as a complaint desk writes it: set phrases with names, places and dates in them, and free text whose words
/// follow Zipf's law, so that it compresses about as prose does and not as a file of templates.
struct Phrases {
    private static let wordCount = 6_000
    private static let characterCount = 3_755
    private static let surnames = Array("赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕施张孔曹严华金魏陶姜谢邹苏潘范彭")
    private static let roads = [
        "环城北路", "文一西路", "庆春路", "朝晖新村", "凤起路", "望江街", "体育场路", "古墩路", "四季花城", "桂花苑",
        "科创三路", "湖滨花园", "莫干山路", "东新园", "西溪里", "秋涛路",
    ]
    static let departments = [
        "道路养护组", "保洁管理科", "自来水营业所", "燃气抢修班", "市容巡查队", "公交协调科", "物业监管科", "来访接待处",
        "供热管理站", "学生事务科", "疾控协作科", "劳动保障科",
    ]
    private static let complaints = [
        "路面塌陷", "夜间施工吵闹", "停水没有通知", "人行道被占", "垃圾堆积", "物业不作为", "拖欠工资", "暖气不热", "窨井盖松动",
        "私搭乱建", "班车不准点", "下水道返水", "路灯熄灭", "退款被拒", "证件迟迟不发",
    ]
    private static let actions = ["转派", "派单", "催派", "改派", "协办", "复查", "结案审查", "回访"]

    private let words: [String]
    private let wordLaw = Zipf(count: wordCount, offset: 6, exponent: 1)
    private let characters: [Character]

    init(_ random: inout Random) {
        // As many ideographs as common use has, spread over their block as those are.
        var code = Array(UInt32(0x4E00)...UInt32(0x9FA5))
        random.shuffle(&code)
        let characters = code.prefix(Self.characterCount).compactMap { Unicode.Scalar($0).map(Character.init) }
        let law = Zipf(count: characters.count, offset: 8, exponent: 0.95)
        words = (0..<Self.wordCount).map { _ in
            let length = 1 + random.weighted([12, 62, 16, 10])
            return String((0..<length).map { _ in characters[law.draw(&random)] })
        }
        self.characters = Array(characters.prefix(900))
    }

    /// About this many bytes of running text.
    func free(_ bytes: Int, _ random: inout Random) -> String {
        var text = ""
        var count = 0
        var untilPause = random.within(3...8)
        while count < bytes {
            let word = words[wordLaw.draw(&random)]
            text += word
            count += word.utf8.count
            untilPause -= 1
            if untilPause <= 0 {
                text += random.isTrue(0.7) ? "，" : "。"
                count += 3
                untilPause = random.within(3...8)
            }
        }
        return text
    }

    func name(_ random: inout Random) -> String {
        var name = String(random.pick(Self.surnames))
        for _ in 0..<random.within(1...2) { name.append(random.pick(characters)) }
        return name
    }

    func address(_ random: inout Random) -> String {
        "\(random.pick(Self.roads))\(random.within(1...288))号\(random.within(1...32))幢\(random.within(1...6))单元\(random.within(101...3204))室"
    }

    func phone(_ random: inout Random) -> String {
        "1\(random.pick(["3", "5", "6", "7", "8", "9"]))\(random.within(100_000_000...999_999_999))"
    }

    func date(_ random: inout Random) -> String {
        "\(random.within(1...12))月\(random.within(1...28))日"
    }

    func department(_ random: inout Random) -> String { random.pick(Self.departments) }
    func complaint(_ random: inout Random) -> String { random.pick(Self.complaints) }
    func action(_ random: inout Random) -> String { random.pick(Self.actions) }
}

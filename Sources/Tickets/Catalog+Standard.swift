extension Catalog {
    /// The catalog of a node that has not received one: the limits of the slides, with what they leave open filled in.
    ///
    /// Case 1 and the whole ticket's limits are the sums of their steps; the other totals are the slides'.
    package static let standard = Catalog(
        version: 1,
        departments: [
            Department(code: "SVC", chinese: "客户服务中心", english: "Customer service centre", isAccepting: true),
            Department(code: "FRONT", chinese: "营业前台", english: "Front desk", isAccepting: true),
            Department(code: "NET", chinese: "网络部", english: "Network"),
            Department(code: "BILL", chinese: "计费账务", english: "Billing"),
            Department(code: "MKT", chinese: "市场部", english: "Marketing"),
            Department(code: "DATA", chinese: "数据业务", english: "Data services"),
            Department(code: "GROUP", chinese: "集团客户部", english: "Group customers"),
            Department(code: "QUAL", chinese: "服务质量督办", english: "Service quality supervision"),
        ],
        categories: [
            Category(
                code: "NETWORK", chinese: "网络质量", english: "Network quality", department: "NET",
                children: [
                    Category(code: "NETWORK.VOICE", chinese: "通话", english: "Calls", department: "NET"),
                    Category(code: "NETWORK.DATA", chinese: "上网", english: "Data", department: "NET"),
                    Category(code: "NETWORK.MMS", chinese: "彩信", english: "Multimedia messages", department: "DATA"),
                ]),
            Category(
                code: "BILLING", chinese: "资费账务", english: "Charges and bills", department: "BILL",
                children: [
                    Category(code: "BILLING.DISPUTE", chinese: "费用争议", english: "Disputed charge", department: "BILL"),
                    Category(code: "BILLING.REFUND", chinese: "退费", english: "Refund", department: "BILL"),
                ]),
            Category(
                code: "BUSINESS", chinese: "业务", english: "Products", department: "MKT",
                children: [
                    Category(code: "BUSINESS.ORDER", chinese: "办理", english: "Ordering", department: "MKT"),
                    Category(code: "BUSINESS.CONTENT", chinese: "增值内容", english: "Content", department: "DATA"),
                ]),
            Category(code: "SERVICE", chinese: "服务", english: "Service", department: "QUAL"),
        ],
        limits: StepLimits(
            dispatchMinutes: 15, redispatchMinutes: 15, handlingMinutes: 120, replyMinutes: 15, feedbackMinutes: 60),
        totals: RouteTotals(
            desk: RouteTotals.Totals(acceptingMinutes: 180, handlingMinutes: 180, ticketMinutes: 180),
            direct: RouteTotals.Totals(acceptingMinutes: 75, handlingMinutes: 405, ticketMinutes: 480),
            relayed: RouteTotals.Totals(acceptingMinutes: 90, handlingMinutes: 180, ticketMinutes: 450)),
        chaseWindowHours: 24,
        bounceLimit: bounceLimitStandard,
        warningFraction: 0.8,
        workingHours: nil)
}

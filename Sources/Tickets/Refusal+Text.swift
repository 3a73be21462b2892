extension Refusal {
    var chinese: String { "\(self)" }
    var english: String { "\(self)" }
}

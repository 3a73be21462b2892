extension Array {
    /// The elements in their order, in arrays of at most so many.
    func portions(of countMax: Int) -> [[Element]] {
        stride(from: 0, to: count, by: countMax).map { Array(self[$0..<Swift.min($0 + countMax, count)]) }
    }
}

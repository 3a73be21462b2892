internal import Foundation

/// SplitMix64: the whole workload follows from one seed, on every machine.
struct Random {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// 0 ..< 1.
    mutating func unit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    mutating func below(_ count: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(count)).high)
    }

    mutating func within(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.count)
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[below(elements.count)]
    }

    mutating func isTrue(_ probability: Double) -> Bool {
        unit() < probability
    }

    /// An index by weight.
    mutating func weighted(_ weights: [Int]) -> Int {
        var rest = below(weights.reduce(0, +))
        for (index, weight) in weights.enumerated() {
            if rest < weight { return index }
            rest -= weight
        }
        return weights.count - 1
    }

    mutating func exponential(mean: Double) -> Double {
        -log(1 - unit()) * mean
    }

    mutating func shuffle<Element>(_ elements: inout [Element]) {
        guard elements.count > 1 else { return }
        for index in stride(from: elements.count - 1, through: 1, by: -1) {
            elements.swapAt(index, below(index + 1))
        }
    }
}

/// Draws indices with weight 1 / (rank + offset)^exponent.
struct Zipf {
    private let cumulated: [Double]

    init(count: Int, offset: Double, exponent: Double) {
        var sum = 0.0
        cumulated = (0..<count).map { rank in
            sum += pow(Double(rank) + offset, -exponent)
            return sum
        }
    }

    func draw(_ random: inout Random) -> Int {
        let target = random.unit() * (cumulated.last ?? 0)
        var low = 0
        var high = cumulated.count - 1
        while low < high {
            let middle = (low + high) / 2
            if cumulated[middle] <= target { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

import CounterCells
import FuzzTargets
import Glibc

/// libFuzzer over one target, which `BANJIE_FUZZ` names; its arguments are libFuzzer's. A violation ends the process as
/// a trap would.
@main
enum Fuzzer {
    private static let target: FuzzTarget = {
        let name = getenv("BANJIE_FUZZ").map { String(cString: $0) } ?? ""
        guard let target = FuzzTarget(rawValue: name) else {
            fatalError(
                "BANJIE_FUZZ is one of \(FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")), not '\(name)'")
        }
        return target
    }()

    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        // A merge compares the features of all inputs, whatever the order in which they come.
        if CommandLine.arguments.contains(where: { $0.hasPrefix("-merge") }) { counter_cells_register_all() }
        exit(
            runDriver(&count, &arguments) { start, count in
                do {
                    try Fuzzer.target.run(Array(UnsafeBufferPointer(start: start, count: count)))
                } catch {
                    fatalError("\(error)")
                }
                counter_cells_note_execution()
                return 0
            })
    }
}

/// Of libFuzzer, which has it for programs that bring a `main` of their own.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

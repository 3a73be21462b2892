internal import Replication

// Between the project's own types and the messages that stand for them.

extension Occurrence {
    init(_ wire: WireImport) {
        self.init(milliseconds: wire.occurredMilliseconds, source: wire.source, row: wire.row)
    }

    var wire: WireImport {
        var wire = WireImport()
        wire.occurredMilliseconds = milliseconds
        wire.source = source
        wire.row = row
        return wire
    }
}

extension Dot {
    /// Nil if no operation can have this dot.
    init?(_ wire: WireDotRef) {
        guard wire.sequence > 0 else { return nil }
        self.init(ReplicaID(wire.replica), wire.sequence)
    }

    var wire: WireDotRef {
        var wire = WireDotRef()
        wire.replica = replica.rawValue
        wire.sequence = sequence
        return wire
    }
}

extension EntityID {
    init?(_ wire: WireEntityRef) {
        guard let raw = UInt8(exactly: wire.type), let type = EntityType(rawValue: raw) else { return nil }
        self.init(type: type, high: wire.high, low: wire.low)
    }

    var wire: WireEntityRef {
        var wire = WireEntityRef()
        wire.type = UInt32(type.rawValue)
        wire.high = high
        wire.low = low
        return wire
    }
}

/// UTC milliseconds on the wire, where 0 is "not given".
func instant(_ wire: Int64) -> Int64? {
    wire == 0 ? nil : wire
}

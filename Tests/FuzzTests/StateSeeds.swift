import Foundation
import Replication
import TestSupport
import Testing
import Tickets

/// Writes states of tickets with a history as inputs, with `RECORD=1`.
@Test("states of tickets with a history are inputs", .enabled(if: ProcessInfo.processInfo.environment["RECORD"] == "1"))
func stateSeeds() throws {
    var office = Office("hz.zj", replica: 0xA1)
    let opened = try office.perform(
        .open(OpenBody(title: "宽带断网", body: "用户报障", category: "network", department: "service")), on: nil,
        as: "service", minute: 0)
    let id = opened[0].entity
    func keep(_ name: String) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Corpus/state").standardized
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(office.tickets[id]?.encoded() ?? []).write(to: folder.appendingPathComponent(name))
    }
    try keep("open")
    try office.perform(
        .transfer(.dispatch, site: office.site, department: "network", reason: "", note: "请处理"), on: id,
        as: "service", minute: 2)
    try office.perform(.accept, on: id, as: "network", minute: 3)
    try office.perform(.tag("急"), on: id, as: "network", minute: 4)
    try office.perform(
        .chase(customer: nil, promised: nil, note: "客户催办", channel: "phone"), on: id, as: "service", minute: 5)
    try office.perform(.reply(text: "已修复", custody: nil), on: id, as: "network", minute: 6)
    try keep("replied")
}

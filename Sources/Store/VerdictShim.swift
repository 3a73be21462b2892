internal import Replication
internal import Tickets
struct EndedVerdict { enum State { case met, late, uncertain, contested, running, warning, overdue }
  var state: State; var due: Int64; var site: SiteCode; var department: String; var step: Step; var elapsedMilliseconds: Int64 }
func endedStepVerdicts(_ s: TicketSummary, catalog: Catalog) -> [EndedVerdict] { [] }

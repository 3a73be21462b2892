# What a ledger says, as rows of tab-separated columns: part, what, how many now, in all, and the aim ("" for none).
# Input: the ledger's lines. $since: how many of them were there before the present run; $targets: names of the decoders,
# $aim: executions of each that are promised.

def total(f): [.[] | (f // 0)] | add // 0;
def sums(f): reduce (.[] | (f // {}) | to_entries[]) as $entry ({}; .[$entry.key] += $entry.value);
def part($name): map(select(.part == $name));
def row($part; $what; f; $aim): [$part, $what, (.now | f), (.all | f), $aim];
# Every name that either has; "now" may have fewer.
def rows($part; f; $aim):
    (.now | f) as $now | (.all | f) | to_entries[] | [$part, .key, ($now[.key] // 0), .value, $aim];

{all: ., now: .[$since:]}
| row("simulation"; "seeds of 20,000 steps"; part("simulation") | map(select(.steps >= .seeds * 20000)) | total(.seeds); 2000),
  row("simulation"; "seeds"; part("simulation") | total(.seeds); ""),
  row("simulation"; "steps"; part("simulation") | total(.steps); ""),
  row("simulation"; "operations"; part("simulation") | total(.operations); ""),
  rows("simulation"; part("simulation") | sums(.faults); ""),
  row("kill"; "looks after kill -9"; part("kill") | total(.cycles); 10000),
  row("kill"; "kills"; part("kill") | total(.kills); ""),
  row("kill"; "kills while opening"; part("kill") | total(.killsWhileOpening); ""),
  row("kill"; "transactions undone"; part("kill") | total(.transactionsLost); ""),
  row("kill"; "operations acknowledged"; part("kill") | total(.acknowledged); ""),
  row("kill"; "looks at everything"; part("kill") | total(.wholeLooks); ""),
  row("disk"; "times every point"; part("disk") | map(select(.points == "all" and .result == "held")) | length; 1),
  rows("disk"; part("disk") | sums(.kinds); ""),
  rows("bytes"; part("bytes") | [{executions: ($targets | map({(.): 0}) | add)}] + . | sums(.executions); $aim),
  row("frames"; "malformed frames"; part("frames") | total(.frames); 1000000),
  rows("times run"; map(select(.part | IN("simulation", "again", "kill", "disk", "bytes", "frames", "coverage") | not))
    | map({counts: {"\(.part)": 1}}) | sums(.counts); "")
| @tsv

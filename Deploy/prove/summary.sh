# The ledger as a table that a person can read. Sourced by Deploy/prove.sh, which sets `ledger`.

# Executions of each decoder that are promised.
executions_aim=10000000

# Decoders that have fewer executions than are promised, or all of them if none has.
below_aim() {
    jq -rs --argjson aim "$executions_aim" --argjson targets "$(ls Tests/Corpus | jq -nR '[inputs]')" '
        (reduce (.[] | select(.part == "bytes") | .executions // {} | to_entries[]) as $entry ({}; .[$entry.key] += $entry.value))
            as $sums
        | ($targets | map(select(($sums[.] // 0) < $aim))) | if . == [] then $targets else . end | .[]' "$ledger"
}

# Usage: summary LINES: how many lines the ledger had before this run.
summary() {
    echo
    jq -rsf Deploy/prove/summary.jq --argjson since "$1" --argjson aim "$executions_aim" --argjson targets "$(ls Tests/Corpus | jq -nR '[inputs]')" "$ledger" | awk -F '\t' '
        function grouped(number,   text, out) {
            text = sprintf("%d", number)
            while (length(text) > 3) { out = "," substr(text, length(text) - 2) out; text = substr(text, 1, length(text) - 3) }
            return text out
        }
        BEGIN { printf "%-11s %-26s %14s %16s %12s\n", "part", "what", "this run", "in all", "aim" }
        {
            part = $1 == last ? "" : $1
            last = $1
            state = $5 == "" ? "" : ($4 + 0 >= $5 + 0 ? "reached" : sprintf("%d %%", 100 * $4 / $5))
            printf "%-11s %-26s %14s %16s %12s  %s\n", part, $2, grouped($3), grouped($4), $5 == "" ? "" : grouped($5), state
        }'
    jq -rs '[.[] | select(.part == "coverage")] | last // empty
        | "\ncoverage    " + (.regions | to_entries | map("\(.key) \(.value) %") | join(", ")) + " of regions, aim \(.aim) % (\(.revision))"' "$ledger"
    # A seed holds since if the last line that repeats it says so.
    jq -rs '
        def held($seed): [.[] | select(.part == "again" and (.seedsAgain | index($seed)))] | last
            | if . and (.violations | all(.seed != $seed)) then .revision else null end;
        . as $lines | [.[] | select(.result != "held" and .part != "again")]
        | if length == 0 then "\nNothing that is promised was broken." else
            "\nBroken at the time:", (.[] | ([.violations[]?.seed] // []) as $seeds
                | ($seeds | map(. as $seed | {seed: $seed, held: ($lines | held($seed))})) as $now
                | "  \(.at) \(.part) at \(.revision)" + (if $seeds == [] then "" else
                    ($now | map(select(.held == null) | "\(.seed)") | if . == [] then "" else ", seeds " + join(", ") end)
                    + ($now | map(select(.held)) | if . == [] then "" else
                        "; hold now: " + (map("\(.seed)") | join(", ")) end) end)) end' "$ledger"
}

# Databases that are put back, copied and lost, and a province with two nodes. Sourced by Deploy/trial.sh.

scenario_restore() {
    local a c d e f old new backup=$root/hz-backup.db
    province zj
    join hz hz.zj zj
    a=$(open_ticket hz 备份之前)
    within "$PATIENCE" "the province has what was opened before the backup" has zj "$a"
    holds "a backup of the running node" b hz backup create "$backup" --json
    c=$(open_ticket hz 备份之后一)
    d=$(open_ticket hz 备份之后二)
    e=$(open_ticket zj 省里转来)
    hand_over zj "$e" hz.zj
    within "$PATIENCE" "the province has what was opened after it" has_all zj "$c" "$d"
    within "$PATIENCE" "the region has what was handed to it" has hz "$e"
    within "$PATIENCE" "both agree" agree zj hz
    old=$(replica_of hz)
    stop hz
    holds "the backup is put back" b hz backup restore "$backup" --json
    holds "what came after it is gone here" not has hz "$c"
    start hz
    new=$(replica_of hz)
    differs "the region goes on under a new incarnation" "$old" "$new"
    within "$PATIENCE" "what was lost comes back" has_all hz "$a" "$c" "$d" "$e"
    f=$(open_ticket hz 恢复之后)
    within "$PATIENCE" "one more ticket goes up" has zj "$f"
    within "$PATIENCE" "both agree again" agree zj hz
    for title in 备份之前 备份之后一 备份之后二 省里转来 恢复之后; do
        equal "$title is there once" 1 "$(times zj "$title")"
    done
    sound zj hz
}

# The province's own database goes back to a backup that is older than an office.
scenario_root() {
    local a c d e old backup=$root/zj-backup.db
    province zj
    join hz hz.zj zj
    a=$(open_ticket hz 备份之前)
    within "$PATIENCE" "the province has it" has zj "$a"
    holds "a backup of the province" b zj backup create "$backup" --json
    join nb nb.zj zj
    c=$(open_ticket hz 备份之后)
    d=$(open_ticket nb 备份之后才入网)
    e=$(open_ticket zj 省里自己的)
    hand_over zj "$e" hz.zj
    within "$PATIENCE" "the province has what was opened after it" has_all zj "$c" "$d"
    within "$PATIENCE" "the region has the province's" has hz "$e"
    old=$(replica_of zj)
    murder zj
    holds "the backup is put back" b zj backup restore "$backup" --json
    start zj
    differs "the province goes on under a new incarnation" "$old" "$(replica_of zj)"
    within 180 "it gets back what the region has" has_all zj "$a" "$c"
    within 180 "and what the office has that joined after the backup" has zj "$d"
    a=$(open_ticket zj 恢复之后)
    hand_over zj "$a" nb.zj
    within "$PATIENCE" "and works on with it" has nb "$a"
    # No child can vouch for what the province itself wrote: it waits for a person's word.
    within "$PATIENCE" "its own operations wait, parked" parked_at zj 2
    within "$PATIENCE" "doctor names them and the command" advises zj parked "banjie parked"
    holds "the admin takes them in" b zj parked release --all --json
    within "$PATIENCE" "the province has its own ticket again" same_ticket zj hz "$e"
    holds "sync verify, as doctor advises, finds no difference" b zj sync verify hz.zj --json
    for title in 备份之前 备份之后 备份之后才入网 省里自己的 恢复之后; do
        equal "$title is there once" 1 "$(times zj "$title")"
    done
    sound zj hz nb
}

# As a snapshot of a virtual machine does: the whole folder, epoch file and all, goes back.
scenario_rollback() {
    local a old new title
    province zj
    join hz hz.zj zj
    a=$(open_ticket hz 快照之前)
    within "$PATIENCE" "the province has it" has zj "$a"
    stop hz
    cp -a "$root/hz" "$root/hz.snapshot"
    start hz
    for title in 快照之后一 快照之后二 快照之后三; do open_ticket hz "$title" >/dev/null; done
    within "$PATIENCE" "the province has what was done after the snapshot" agree zj hz
    old=$(replica_of hz)
    stop hz
    rm -rf "$root/hz"
    mv "$root/hz.snapshot" "$root/hz"
    a=$(open_ticket hz 回滚之后一)
    b hz ticket note "$a" 回滚之后的备注 --as 小王 --json >/dev/null
    open_ticket hz 回滚之后二 >/dev/null
    equal "the rolled-back node has not noticed" "$old" "$(replica_of hz)"
    start hz
    within "$PATIENCE" "a new incarnation, by itself" another_replica hz "$old"
    within "$PATIENCE" "both agree" agree zj hz
    new=$(replica_of hz)
    for title in 快照之前 快照之后一 快照之后二 快照之后三 回滚之后一 回滚之后二; do
        equal "$title is at the province once" 1 "$(times zj "$title")"
        equal "$title is at the region once" 1 "$(times hz "$title")"
    done
    equal "what was written again is under a new dot" "$new" "$(first_dot_of zj 回滚之后一)"
    equal "the note is on its ticket" 1 "$(notes_of zj 回滚之后一)"
    a=$(open_ticket hz 和好之后)
    within "$PATIENCE" "work goes on" has zj "$a"
    sound zj hz
}

# Two nodes from one folder, both at work.
scenario_clone() {
    local title ids=()
    province zj
    join hz hz.zj zj
    cable hz2
    open_ticket hz 复制之前 >/dev/null
    within "$PATIENCE" "both agree" agree zj hz
    stop hz
    cp -a "$root/hz" "$root/hz2"
    # A copy on another machine has that machine's address.
    sed -i "s/$(address hz | sed 's/\./\\./g'):/$(address hz2):/" "$root/hz2/node.yaml"
    start hz
    start hz2
    for title in 一 二 三; do
        ids+=("$(open_ticket hz "原件$title")" "$(open_ticket hz2 "副本$title")")
    done
    equal "every command is answered" 6 "$(acknowledged "${ids[@]}")"
    within "$PATIENCE" "they are two incarnations, by themselves" two_replicas hz hz2
    within "$PATIENCE" "all three agree" agree zj hz hz2
    for title in 复制之前 原件一 原件二 原件三 副本一 副本二 副本三; do
        equal "$title is at the province once" 1 "$(times zj "$title")"
    done
    open_ticket hz 原件四 >/dev/null
    open_ticket hz2 副本四 >/dev/null
    within "$PATIENCE" "both work on" agree zj hz hz2
    equal "and nothing is missing" 9 "$(titles hz2 | wc -l)"
    sound zj hz hz2
}

scenario_lostdisk() {
    local a c d old
    province zj
    join hz hz.zj zj
    join xihu xihu.hz.zj hz
    a=$(open_ticket xihu 盘坏之前一)
    c=$(open_ticket zj 省里转给营业厅)
    hand_over zj "$c" xihu.hz.zj
    within "$PATIENCE" "the branch's ticket is at the province" has zj "$a"
    within "$PATIENCE" "the province's is at the branch" has xihu "$c"
    within "$PATIENCE" "all agree" agree zj hz xihu
    old=$(replica_of xihu)
    murder xihu
    rm -rf "$root/xihu"
    enrol xihu xihu.hz.zj hz
    start xihu
    differs "enrolled anew it is another incarnation" "$old" "$(replica_of xihu)"
    within "$PATIENCE" "it gets its tickets back" has_all xihu "$a" "$c"
    d=$(open_ticket xihu 换盘之后)
    within "$PATIENCE" "and works on" has zj "$d"
    within "$PATIENCE" "all agree again" agree zj hz xihu
    sound zj hz xihu
}

# Bits of the log change on the disk of a region, in a body, in the header of a record, in a dot.
scenario_rot() {
    local a c d e xihu
    province zj
    join hz hz.zj zj
    join xihu xihu.hz.zj hz
    xihu=$(replica_of xihu)
    a=$(open_ticket xihu 正文坏了)
    c=$(open_ticket xihu 记录头坏了)
    d=$(open_ticket xihu 编号坏了)
    e=$(open_ticket xihu 谁也没发现)
    within "$PATIENCE" "all agree" agree zj hz xihu
    stop hz
    rot_body hz 正文坏了
    rot_header hz 记录头坏了
    rot_dot hz 编号坏了
    start hz
    b hz scrub --json >/dev/null
    equal "scrub says by its exit code that it has found something" 2 $?
    at_least "rows that the node names in its log" 2 "$(grep -c 'a row of the log does not match its hash' "$root/hz.log")"
    within 150 "sound copies heal them" b hz scrub --json
    holds "the tickets can be read" has_all hz "$a" "$c" "$d"
    within "$PATIENCE" "all agree again" agree zj hz xihu
    stop hz
    rot_header hz 谁也没发现
    start hz
    join yuhang yuhang.hz.zj hz
    hand_over xihu "$e" yuhang.hz.zj
    within 150 "a ticket with a row that cannot be read reaches another office, without anybody's doing" has yuhang "$e"
    within 150 "and the row is healed" b hz scrub --json
    within "$PATIENCE" "both have the same of it" same_ticket zj yuhang "$e"
    within "$PATIENCE" "all agree once more" agree zj hz
    equal "nobody took that for another history" "$xihu" "$(replica_of xihu)"
    sound zj hz xihu yuhang
}

# Where a title stands in the log of a stopped node, and what a page holds of it that is not in use any more.
places_of() { LC_ALL=C grep -obUaF -- "$2" "$root/$1/banjie.db" | cut -d: -f1; }
# The header of the record that a place lies in: its length, arrival, seven numbers, a hash of 32 bytes.
header_before() {
    LC_ALL=C grep -obUaP '[\x0c-\x10]\x00[\x01-\x09]{7}\x4c' "$root/$1/banjie.db" | cut -d: -f1 \
        | awk -v place="$2" '$1 < place { last = $1 } END { print last }'
}
byte_at() { od -An -tu1 -j "$2" -N 1 "$root/$1/banjie.db" | tr -d ' '; }
flip() {
    # shellcheck disable=SC2059
    printf "\\$(printf %o $(($(byte_at "$1" "$2") ^ 1)))" \
        | dd of="$root/$1/banjie.db" bs=1 seek="$2" conv=notrunc status=none
}
rot_body() { local place; for place in $(places_of "$1" "$2"); do flip "$1" "$place"; done; }
rot_header() { local place; for place in $(places_of "$1" "$2"); do flip "$1" "$(header_before "$1" "$place")"; done; }
# The last byte of the sequence number, behind header and replica.
rot_dot() {
    local place header
    for place in $(places_of "$1" "$2"); do
        header=$(header_before "$1" "$place")
        flip "$1" $((header + $(byte_at "$1" "$header") + $(width "$1" $((header + 2))) + $(width "$1" $((header + 3))) - 1))
    done
}
# Bytes of a number by its type.
width() { case "$(byte_at "$1" "$2")" in 5) echo 6 ;; 6) echo 8 ;; 8 | 9) echo 0 ;; *) byte_at "$1" "$2" ;; esac; }

# Two nodes of the province; the region moves to the second when the first dies.
scenario_parents() {
    local i ids=() received replica before sent
    province zj
    enrol zj2 zj zj
    start zj2
    within "$PATIENCE" "the second node of the province is connected" connected zj2
    enrol hz hz.zj zj
    add_parent hz zj2
    start hz
    within "$PATIENCE" "the region is connected" connected hz
    for i in $(seq 20); do ids+=("$(open_ticket hz "搬家之前$i")"); done
    within "$PATIENCE" "all three agree" agree zj zj2 hz
    before=$(operations_of hz)
    murder zj
    ids+=("$(open_ticket hz 断开之后)")
    within "$PATIENCE" "the second has what was opened after the first died" has zj2 "${ids[-1]}"
    within "$PATIENCE" "both agree" agree zj2 hz
    sent=$(b hz sync status --json | jq '[.peers[] | select(.isConnected) | .sentOperations] | add')
    at_most "operations sent on the move, of $before that were there" 8 "$sent"
    start zj
    within "$PATIENCE" "the first gets what it missed" agree zj zj2 hz
    within 180 "the region is back at the first" parent_is hz "$(replica_of zj)"
    ids+=("$(open_ticket hz 回来之后)")
    within "$PATIENCE" "all three agree again" agree zj zj2 hz
    equal "every ticket is at the first" "${#ids[@]}" "$(titles zj | wc -l)"
    sound zj zj2 hz
}

parked_at() { [ "$(status_of "$1" | jq .parked)" -eq "$2" ]; }
advises() {
    jq -e --arg check "$2" --arg text "$3" 'any(.findings[]; .check == $check and (.next | contains($text)))' \
        <<<"$(b "$1" doctor --json)"
}
not() { ! "$@"; }
two_replicas() { [ "$(replica_of "$1")" != "$(replica_of "$2")" ]; }
another_replica() { [ "$(replica_of "$1")" != "$2" ]; }
parent_is() { b "$1" sync status --json | jq -e --arg node "$2" 'any(.peers[]; .node == $node and .isConnected)'; }
id_of() { b "$1" ticket list --limit 499 --json | jq -r --arg title "$2" '[.items[] | select(.title == $title) | .id][0]'; }
first_dot_of() { b "$1" ticket history "$(id_of "$1" "$2")" --json | jq -r '.operations[0].dot | split(":")[0]'; }
notes_of() { b "$1" ticket history "$(id_of "$1" "$2")" --json | jq '[.operations[] | select(.kind == "note")] | length'; }
# A parent of less preference, as an admin adds it.
add_parent() { sed -i "/^parents:/,/^[^ ]/{/^  - /a\\  - \"$(address "$2"):7443\"
}" "$root/$1/node.yaml"; }

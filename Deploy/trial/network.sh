# Namespaces, cables and their faults. Sourced by Deploy/trial.sh.
#
#   bjtPID-hub: a bridge ──v1── eth0 in bjtPID-zj    10.213.7.1
#                        ──v2── eth0 in bjtPID-hz    10.213.7.2
# Both ends of a cable are made inside the namespaces: the machine's own network never sees them.

PREFIX=bjt$$
SUBNET=10.213.7
declare -A number=()

network_up() {
    number=()
    ip netns add "$PREFIX-hub"
    ip -n "$PREFIX-hub" link add hub type bridge
    ip -n "$PREFIX-hub" link set hub up
}

# cable NODE: its namespace, its cable to the hub, its address.
cable() {
    local n=$((${#number[@]} + 1))
    number[$1]=$n
    ip netns add "$PREFIX-$1"
    ip -n "$PREFIX-$1" link set lo up
    ip link add eth0 netns "$PREFIX-$1" type veth peer name "v$n" netns "$PREFIX-hub"
    ip -n "$PREFIX-hub" link set "v$n" master hub up
    ip -n "$PREFIX-$1" address add "$SUBNET.$n/24" dev eth0
    ip -n "$PREFIX-$1" link set eth0 up
}

address() { echo "$SUBNET.${number[$1]}"; }
inside() { local node=$1; shift; ip netns exec "$PREFIX-$node" "$@"; }

# The cable is pulled, and put back.
cut_line() { ip -n "$PREFIX-hub" link set "v${number[$1]}" down; }
mend_line() { ip -n "$PREFIX-hub" link set "v${number[$1]}" up; }

# slow_line NODE RATE: both ways, with the queue of a modem in front.
slow_line() {
    tc -n "$PREFIX-$1" qdisc replace dev eth0 root tbf rate "$2" burst 3200 latency 400ms
    tc -n "$PREFIX-hub" qdisc replace dev "v${number[$1]}" root tbf rate "$2" burst 3200 latency 400ms
}
full_line() {
    tc -n "$PREFIX-$1" qdisc del dev eth0 root
    tc -n "$PREFIX-hub" qdisc del dev "v${number[$1]}" root
}

# lossy_line NODE SHARE: what arrives at the node is dropped with this probability. Given for both ends, both ways.
lossy_line() {
    inside "$1" iptables -w -A INPUT -i eth0 -m statistic --mode random --probability "$2" -j DROP
}
sound_line() { inside "$1" iptables -w -F INPUT; }
dropped_packets() { inside "$1" iptables -w -nvxL INPUT | awk '$3 == "DROP" { sum += $1 } END { print sum + 0 }'; }

# By namespace name: every process in ours, then the namespaces.
network_down() {
    local name pid
    for name in $(ip netns list | awk -v prefix="$PREFIX-" 'index($1, prefix) == 1 { print $1 }'); do
        for pid in $(ip netns pids "$name"); do
            kill -9 "$pid" 2>/dev/null || true
            wait "$pid" 2>/dev/null || true
        done
        ip netns del "$name"
    done
}

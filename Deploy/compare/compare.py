"""Runs the rounds: bare SQLite, Banjie, PostgreSQL; bare SQLite and a peer; and so on. Started by Deploy/compare.sh."""

import argparse
import os
import signal
import sys

import ceiling
import figures
import picture
import table
from bench import Bench, require_postgres
from crdt import CRDTLibrary
from figures import Figures, Subject
from fossil_peer import Fossil
from git_peer import Git
from peer import Peer
from processes import Failure, run

OPERATIONS, QUICK_OPERATIONS, ROUNDS = 200_000, 5_000, 5
CEILING_FILES, QUICK_CEILING_FILES = 24, 4
HERE = os.path.dirname(os.path.abspath(__file__))
README = os.path.join(HERE, "..", "..", "README.md")


def note(text: str) -> None:
    print(f"compare: {text}", file=sys.stderr, flush=True)


class Comparison:
    def __init__(self, arguments: argparse.Namespace):
        self._scratch, self._rounds = arguments.scratch, arguments.rounds
        operations = arguments.operations
        self._bench = Bench(arguments.bench, self._scratch, operations)
        self._with_postgres = True
        self._ceiling = ceiling.Ceiling(self._scratch, QUICK_CEILING_FILES if arguments.quick else CEILING_FILES)
        common = self._scratch, operations
        self._peers: list[Peer] = [
            CRDTLibrary("loro", arguments.python, *common), CRDTLibrary("pycrdt", arguments.python, *common),
            Git(*common), Fossil(*common)]
        self._filesystem = run("findmnt", "-n", "-o", "FSTYPE", "-T", self._scratch).strip()
        self.figures = Figures(operations, operations // 10, self._rounds, "")
        self._subjects = {subject.key: subject for subject in self._described(operations)}

    def _described(self, operations: int) -> list[Subject]:
        nodes = ("two nodes, a process each: mutual TLS 1.3, HTTP/2; B checks, commits log, tickets, feeds, "
                 "rollups, and acknowledges")
        servers = "two servers, `synchronous_commit` on in both and in the subscription, the same three tables"
        return [
            Subject(figures.REFERENCE, "bare SQLite, nothing sent", "one process writes rows through the C API",
                    "no second office, no line, nothing checked or indexed for search", operations),
            Subject(figures.OURS, "Banjie, durable", nodes, "", operations),
            Subject(figures.SEARCHABLE, "Banjie, searchable", "the same, until B's full-text index has caught up", "",
                    operations),
            Subject(figures.STREAMED, "PostgreSQL, as it streams", servers + "; the clock includes A's writing",
                    "TCP without TLS; A writes under the clock; one direction, nothing merged", operations),
            Subject(figures.BACKLOG, "PostgreSQL, a backlog", servers + "; A has everything before it is enabled",
                    "TCP without TLS; one direction, nothing merged; no search, no checks of who may write",
                    operations),
            *(Subject(peer.key, peer.name, peer.measured, peer.unequal, peer.operations) for peer in self._peers),
            Subject(figures.CEILING, self._ceiling.name, self._ceiling.measured, self._ceiling.unequal, 0),
        ]

    def run(self) -> Figures:
        note(f"{self.figures.operations:,} operations, {self._rounds} round{'s' * (self._rounds > 1)}")
        self._try("PostgreSQL", require_postgres, self._leave_postgres)
        for peer in list(self._peers):
            self._try(peer.name, lambda: self._prepare(peer), lambda: self._peers.remove(peer))
        self._try(self._ceiling.name, lambda: self._prepare(self._ceiling), self._leave_ceiling)
        for number in range(1, self._rounds + 1):
            self._round(number)
        for subject in self._subjects.values():
            subject.tickets = subject.operations // 10
        self.figures.subjects = [subject for subject in self._subjects.values() if subject.ratios]
        return self.figures

    def _try(self, name: str, action, otherwise) -> None:
        """What fails is named with its reason, and has no part in what follows."""
        try:
            action()
        except (Failure, OSError, ValueError, LookupError) as error:
            reason = str(error).replace(f"{self._scratch}/", "") or type(error).__name__
            self.figures.left_out[name] = reason
            note(f"left out: {name}: {reason}")
            otherwise()

    def _prepare(self, peer) -> None:
        self._subjects[peer.key].version = peer.version()
        note(f"preparing {peer.name}")
        peer.prepare(self._bench.rows_path(self._subjects[peer.key].operations or self.figures.operations))

    def _leave_postgres(self) -> None:
        self._with_postgres = False
        for key in (figures.STREAMED, figures.BACKLOG):
            self._subjects[key].ratios.clear()

    def _leave_ceiling(self) -> None:
        self._ceiling = None
        self._subjects[figures.CEILING].ratios.clear()

    def _round(self, number: int) -> None:
        self.figures.loads.append(round(os.getloadavg()[0], 1))
        note(f"round {number} of {self._rounds}: bare SQLite, Banjie" + ", PostgreSQL" * self._with_postgres)
        if self._with_postgres:
            self._try("PostgreSQL", lambda: self._ours(True), self._leave_postgres)
        if not self._with_postgres:
            self._ours(False)
        for peer in list(self._peers):
            self._try(peer.name, lambda: self._beside(peer), lambda: self._leave(peer))
        if self._ceiling:
            self._try(self._ceiling.name, self._bound, self._leave_ceiling)

    def _leave(self, peer: Peer) -> None:
        self._peers.remove(peer)
        self._subjects[peer.key].ratios.clear()

    def _ours(self, with_postgres: bool) -> None:
        said = self._bench.round(with_postgres)
        reference, sync, versions = said["reference"]["operationsPerSecond"], said["sync"], said["versions"]
        postgres = said.get("postgres")
        if with_postgres and not postgres:
            raise Failure("banjie-bench did not measure it")
        self.figures.machine = f"{versions['system']}, {versions['processors']} processors, {self._filesystem}"
        self._subjects[figures.REFERENCE].version = f"SQLite {versions['sqlite']}"
        self._add(figures.REFERENCE, 1.0)
        self._add(figures.OURS, sync["ratio"], sync["wireBytesPerOperation"], sync["diskBytesPerOperation"])
        self._add(figures.SEARCHABLE, sync["ratioSearchable"])
        if postgres:
            self._subjects[figures.STREAMED].version = f"PostgreSQL {postgres['version'].split()[0]}"
            self._add(figures.STREAMED, postgres["operationsPerSecond"]["median"] / reference,
                      postgres.get("wireBytesPerOperation"), postgres.get("diskBytesPerOperation"))
            self._add(figures.BACKLOG, postgres["backlogOperationsPerSecond"]["median"] / reference)

    def _add(self, key: str, ratio: float, wire: float | None = None, disk: float | None = None) -> None:
        subject = self._subjects[key]
        subject.ratios.append(ratio)
        subject.wire_bytes = wire or subject.wire_bytes
        subject.disk_bytes = disk or subject.disk_bytes
        note(f"   {subject.name}: × {table.number(ratio)}")

    def _reference(self) -> float:
        said = self._bench.reference()
        self._subjects[figures.REFERENCE].disk_bytes = said["diskBytesPerOperation"]
        return said["operationsPerSecond"]

    def _beside(self, peer: Peer) -> None:
        reference = self._reference()
        measured = peer.round()
        self._add(peer.key, peer.operations / measured.seconds / reference, measured.wire_bytes, measured.disk_bytes)

    def _bound(self) -> None:
        reference = self._reference()
        wire = self._subjects[figures.OURS].wire_bytes
        self._add(figures.CEILING, self._ceiling.bytes_per_second() / wire / reference)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="Deploy/compare.sh", description=__doc__)
    parser.add_argument("--rounds", type=int, help=f"interleaved rounds (default {ROUNDS})")
    parser.add_argument("--quick", action="store_true",
                        help=f"{QUICK_OPERATIONS:,} operations, one round, for trying; leaves README as it is")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("--render", action="store_true", help="measure nothing: draw figures.json again")
    parser.add_argument("--bench", help=argparse.SUPPRESS)
    parser.add_argument("--python", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.operations = QUICK_OPERATIONS if arguments.quick else OPERATIONS
    arguments.rounds = arguments.rounds if arguments.rounds is not None else 1 if arguments.quick else ROUNDS
    if arguments.rounds < 1:
        parser.error("--rounds is at least 1")
    return arguments


def render(result: Figures) -> None:
    with open(os.path.join(HERE, "figures.svg"), "w", encoding="utf-8") as file:
        file.write(picture.svg(result))
    table.put_into_readme(README, result, "Deploy/compare/figures.svg")


def main() -> None:
    arguments = parse()
    kept = os.path.join(HERE, "figures.json")
    if arguments.render:
        return render(Figures.read(kept))
    # Ended by a signal, it ends what it has started: `with` blocks are left by an exception.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    result = Comparison(arguments).run()
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            file.write(result.json())
    if not arguments.quick:
        with open(kept, "w", encoding="utf-8") as file:
            file.write(result.json())
        render(result)
    print(table.markdown(result))


if __name__ == "__main__":
    try:
        main()
    except Failure as error:
        note(f"{error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)

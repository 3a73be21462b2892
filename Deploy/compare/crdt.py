"""Loro and pycrdt: libraries without store or transport, given the plainest of both.

One document holds all tickets: a map by ticket, in it a map of registers by name and a list of events. A has it as
deltas of 500 operations in an SQLite table. Each goes over one TLS 1.3 connection, certificates on both sides, with its
length before it; B imports it, appends it to its own table (WAL, FULL) and says so after the commit; A does not wait
for that before it sends the next.

Run by itself, under the Python that has the library: `crdt.py LIBRARY make|receive|send …`, each a process.
"""

import hashlib
import json
import os
import socket
import sqlite3
import ssl
import struct
import subprocess
import sys
import time

import processes
import workload
from peer import Peer, Round

LENGTH = struct.Struct(">I")
SILENCE_SECONDS_MAX = 600


def entry(row: workload.Row) -> tuple[str | None, str | None]:
    """Which register an operation sets, and what it adds to the ticket's events."""
    match row.register:
        case workload.OPENED:
            return "opened", None
        case workload.TRANSFERRED:
            return "step", "transfer"
        case workload.CLOSED:
            return "result", "close"
        case workload.NO_REGISTER:
            return None, row.text
        case field:
            return f"field{field}", None


class Loro:
    def __init__(self):
        import loro
        self._loro = loro
        self._document = loro.LoroDoc()
        self._root = self._document.get_map("tickets")
        self._tickets = {}
        self._sent = self._document.oplog_vv

    def delta(self, rows: list[workload.Row]) -> bytes:
        for row in rows:
            if row.ticket not in self._tickets:
                ticket = self._root.insert_container(str(row.ticket), self._loro.LoroMap())
                self._tickets[row.ticket] = ticket, ticket.insert_container("events", self._loro.LoroList())
            ticket, events = self._tickets[row.ticket]
            register, event = entry(row)
            if register:
                ticket.insert(register, row.text)
            if event:
                events.push(event)
        self._document.commit()
        delta = self._document.export(self._loro.ExportMode.Updates(self._sent))
        self._sent = self._document.oplog_vv
        return delta

    def merge(self, delta: bytes) -> None:
        self._document.import_(delta)

    def value(self):
        return self._document.get_deep_value()["tickets"]


class Pycrdt:
    def __init__(self):
        import pycrdt
        self._pycrdt = pycrdt
        self._document = pycrdt.Doc()
        self._root = self._document.get("tickets", type=pycrdt.Map)
        self._tickets = {}

    def delta(self, rows: list[workload.Row]) -> bytes:
        updates = []
        subscription = self._document.observe(lambda event: updates.append(event.update))
        with self._document.transaction():
            for row in rows:
                if row.ticket not in self._tickets:
                    self._root[str(row.ticket)] = self._pycrdt.Map({"events": self._pycrdt.Array()})
                    ticket = self._root[str(row.ticket)]
                    self._tickets[row.ticket] = ticket, ticket["events"]
                ticket, events = self._tickets[row.ticket]
                register, event = entry(row)
                if register:
                    ticket[register] = row.text
                if event:
                    events.append(event)
        self._document.unobserve(subscription)
        [update] = updates
        return update

    def merge(self, delta: bytes) -> None:
        self._document.apply_update(delta)

    def value(self):
        return self._root.to_py()


LIBRARIES = {"loro": Loro, "pycrdt": Pycrdt}


def digest(value) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def store(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE IF NOT EXISTS delta (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)")
    return database


def make(library: str, path: str, rows_path: str) -> dict:
    """Puts the deltas into A's store."""
    document, database, total = LIBRARIES[library](), store(path), 0
    rows = workload.rows(rows_path)
    database.execute("BEGIN")
    for start in range(0, len(rows), workload.PER_DELTA):
        delta = document.delta(rows[start:start + workload.PER_DELTA])
        total += len(delta)
        database.execute("INSERT INTO delta (bytes) VALUES (?)", (delta,))
    database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return {"digest": digest(document.value()), "bytes": total}


def context(side: int, certificate: str, key: str) -> ssl.SSLContext:
    tls = ssl.SSLContext(side)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.load_cert_chain(certificate, key)
    tls.load_verify_locations(certificate)
    tls.verify_mode = ssl.CERT_REQUIRED
    return tls


def exactly(stream, count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise EOFError("the other side has gone")
    return data


def receive(library: str, path: str, certificate: str, key: str) -> None:
    """B: says its port, takes one connection, and then says what it has."""
    document, database = LIBRARIES[library](), store(path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SILENCE_SECONDS_MAX)
        print(json.dumps({"port": server.getsockname()[1]}), flush=True)
        connection, _ = server.accept()
    connection.settimeout(SILENCE_SECONDS_MAX)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with context(ssl.PROTOCOL_TLS_SERVER, certificate, key).wrap_socket(connection, server_side=True) as line:
        stream, count = line.makefile("rb", buffering=1 << 16), 0
        while header := stream.read(LENGTH.size):
            delta = exactly(stream, *LENGTH.unpack(header))
            document.merge(delta)
            database.execute("INSERT INTO delta (bytes) VALUES (?)", (delta,))
            count += 1
            line.sendall(LENGTH.pack(count))
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    print(json.dumps({"digest": digest(document.value()), "disk": os.path.getsize(path)}), flush=True)


def send(path: str, certificate: str, key: str, port: int) -> dict:
    """A: the clock runs from before it dials to the acknowledgement of the last delta."""
    database, wire, count = store(path), 0, 0
    tls = context(ssl.PROTOCOL_TLS_CLIENT, certificate, key)
    start = time.monotonic()
    connection = socket.create_connection(("127.0.0.1", port), timeout=SILENCE_SECONDS_MAX)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with tls.wrap_socket(connection, server_hostname="127.0.0.1") as line:
        for (delta,) in database.execute("SELECT bytes FROM delta ORDER BY id"):
            line.sendall(LENGTH.pack(len(delta)) + delta)
            wire += LENGTH.size + len(delta)
            count += 1
        stream = line.makefile("rb")
        for number in range(1, count + 1):
            if exactly(stream, LENGTH.size) != LENGTH.pack(number):
                raise ValueError("B acknowledged something else")
        return {"seconds": time.monotonic() - start, "wire": wire}


class CRDTLibrary(Peer):
    """One of the two, as the comparison sees it."""

    measured = "deltas of 500 operations in an SQLite table at A, over one TLS socket; B imports each and commits it"
    unequal = ("a library: store and transport are the comparison's; deltas go as they are, not compressed; B keeps "
               "everything in memory, and has neither tables nor search nor checks of who may write what")
    names = {"loro": "Loro", "pycrdt": "pycrdt (Yrs)"}

    def __init__(self, library: str, python: str, *arguments):
        super().__init__(*arguments)
        self.key = library
        self.name = f"{self.names[library]}, deltas kept in SQLite"
        self._python = python
        self._folder = os.path.join(self.scratch, library)

    def version(self) -> str:
        program = f"import importlib.metadata as m; print(m.version({self.key!r}))"
        return f"{self.names[self.key].split()[0]} {processes.run(self._python, '-c', program).strip()}"

    def prepare(self, rows_path: str) -> None:
        os.makedirs(self._folder)
        self._identity = processes.certificate(os.path.join(self.scratch, "tls"))
        self._a = os.path.join(self._folder, "a.db")
        self._made = json.loads(
            processes.run(*self._command("make", self._a, rows_path)))

    def _command(self, *arguments: str) -> list[str]:
        return [self._python, os.path.abspath(__file__), self.key, *arguments]

    def round(self) -> Round:
        b = os.path.join(self._folder, "b.db")
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(b + suffix):
                os.unlink(b + suffix)
        os.sync()
        with processes.Process(*self._command("receive", b, *self._identity), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE) as receiver:
            port = self._line(receiver)["port"]
            sent = json.loads(processes.run(*self._command("send", self._a, *self._identity, str(port))))
            arrived = self._line(receiver)
        if arrived["digest"] != self._made["digest"]:
            raise processes.Failure("B's document is not A's")
        return Round(sent["seconds"], sent["wire"] / self.operations, arrived["disk"] / self.operations)

    @staticmethod
    def _line(process: processes.Process) -> dict:
        line = process.popen.stdout.readline()
        if not line:
            said = " ".join(process.popen.stderr.read().split())
            raise processes.Failure(f"B ended: {said[-processes.SAID_CHARACTERS_MAX:]}")
        return json.loads(line)


if __name__ == "__main__":
    library, action, *arguments = sys.argv[1:]
    if action == "make":
        print(json.dumps(make(library, *arguments)))
    elif action == "receive":
        receive(library, *arguments)
    else:
        print(json.dumps(send(*arguments[:3], int(arguments[3]))))

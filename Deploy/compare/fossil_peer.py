"""Fossil: a tracker whose tickets are made of changes that sync."""

import datetime
import hashlib
import os
import re
import shutil
import time

import processes
import workload
from peer import Peer, Round

PROJECT = hashlib.sha1(b"compare").hexdigest()
FIELDS = ("type", "subsystem", "priority", "severity", "foundin", "private_contact")


class Fossil(Peer):
    key = "fossil"
    name = "Fossil pull"
    measured = "a ticket change for each operation; one `fossil pull` from `fossil server` over TLS; B has its tickets"
    unequal = ("somebody has to pull; of concurrent values the later wins; transactions as Fossil makes them, one for "
               "each reply")
    operations_max = 20_000

    def version(self) -> str:
        processes.require("fossil")
        return "Fossil " + processes.run("fossil", "version").split()[4]

    def prepare(self, rows_path: str) -> None:
        self._folder = os.path.join(self.scratch, "fossil")
        artifacts = os.path.join(self._folder, "artifacts")
        os.makedirs(artifacts)
        self._certificate, self._key = processes.certificate(os.path.join(self.scratch, "tls"))
        self._environment = os.environ | {"HOME": self._folder, "FOSSIL_HOME": self._folder, "USER": "office",
                                          "SSL_CERT_FILE": self._certificate}
        rows = workload.rows(rows_path)
        for number, row in enumerate(rows):
            with open(os.path.join(artifacts, f"{number:07d}"), "wb") as file:
                file.write(artifact(row))
        self._tickets = len({row.ticket for row in rows})
        self._a, self._b = os.path.join(self._folder, "a.fossil"), os.path.join(self._folder, "b.fossil")
        self._empty = os.path.join(self._folder, "empty.fossil")
        self._fossil("reconstruct", self._a, artifacts)
        shutil.rmtree(artifacts)
        self._fossil("new", self._empty)
        for repository in (self._a, self._empty):
            self._sql(repository, "REPLACE INTO config (name, value, mtime) "
                                  f"VALUES ('project-code', '{PROJECT}', 1);")
        self._sql(self._a, "INSERT OR IGNORE INTO user (login) VALUES ('nobody'); "
                           "UPDATE user SET cap = 'gjorz' WHERE login = 'nobody';")

    def _fossil(self, *arguments: str) -> str:
        return processes.run("fossil", *arguments, env=self._environment)

    def _sql(self, repository: str, statement: str) -> str:
        return self._fossil("sql", "-R", repository, statement).strip()

    def round(self) -> Round:
        shutil.copyfile(self._empty, self._b)
        os.sync()
        port = processes.free_port()
        with processes.Process("fossil", "server", self._a, "--localhost", "--port", str(port), "--nojail",
                               "--cert", self._certificate, "--pkey", self._key, env=self._environment) as server:
            processes.wait_for(port, server)
            start = time.monotonic()
            # By name: Fossil compares no addresses with certificates.
            said = self._fossil("pull", f"https://localhost:{port}/", "-R", self._b, "--once")
            seconds = time.monotonic() - start
        arrived = self._sql(self._b, "SELECT (SELECT count(*) FROM ticketchng), (SELECT count(*) FROM ticket);")
        if re.findall(r"\d+", arrived) != [str(self.operations), str(self._tickets)]:
            raise processes.Failure(f"B has changes and tickets {arrived}, not {self.operations} and {self._tickets}")
        wire = re.search(r"wire bytes sent:\s*(\d+)\s+received:\s*(\d+)", said)
        disk = os.path.getsize(self._b) - os.path.getsize(self._empty)
        return Round(seconds, (int(wire[1]) + int(wire[2])) / self.operations if wire else None,
                     disk / self.operations)


def artifact(row: workload.Row) -> bytes:
    """A ticket change in Fossil's file format: cards in the order of their letters, an MD5 at the end."""
    text = row.text.replace("\\", "\\\\").replace(" ", "\\s").replace("\n", "\\n")
    match row.register:
        case workload.OPENED:
            values = {"comment": text, "status": "Open"}
        case workload.TRANSFERRED:
            values = {"icomment": text, "status": "Verified"}
        case workload.CLOSED:
            values = {"resolution": text, "status": "Closed"}
        case workload.NO_REGISTER:
            values = {"icomment": text}
        case field:
            values = {FIELDS[field % len(FIELDS)]: text}
    # A change is known by its bytes: what tells two equal ones apart goes into a field that tickets have.
    values["login"] = f"{row.origin}-{row.sequence}"
    time = datetime.datetime.fromtimestamp(row.milliseconds / 1000, datetime.timezone.utc)
    cards = [f"D {time:%Y-%m-%dT%H:%M:%S}.{row.milliseconds % 1000:03d}"]
    cards += [f"J {name} {values[name]}" for name in sorted(values)]
    cards += [f"K {hashlib.sha1(str(row.ticket).encode()).hexdigest()}", f"U office{row.origin}"]
    body = "".join(card + "\n" for card in cards).encode()
    return body + b"Z " + hashlib.md5(body).hexdigest().encode() + b"\n"

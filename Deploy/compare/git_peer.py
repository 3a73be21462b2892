"""git, as trackers built on it use it: a ref for each ticket, a commit for each operation, pushed to a daemon."""

import json
import os
import shutil
import time

import processes
import workload
from peer import Peer, Round

REFS = "refs/tickets/*:refs/tickets/*"


class Git(Peer):
    key = "git"
    name = "git push"
    measured = "a ref for each ticket and a commit for each operation; one push to `git daemon`, `core.fsync=all` at B"
    unequal = ("plain TCP, no TLS; somebody has to push; nothing is merged: a ref that both have moved is refused; "
               "B has commits, no tables to ask")
    operations_max = 20_000

    def version(self) -> str:
        processes.require("git")
        return "git " + processes.run("git", "--version").split()[2]

    def prepare(self, rows_path: str) -> None:
        self._folder = os.path.join(self.scratch, "git")
        os.makedirs(self._folder)
        # Nobody's own settings.
        self._environment = os.environ | {
            "HOME": self._folder, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        self._a, self._b = os.path.join(self._folder, "a.git"), os.path.join(self._folder, "b.git")
        self._git("init", "--quiet", "--bare", self._a)
        stream = os.path.join(self._folder, "stream")
        with open(stream, "wb") as file:
            self._write(file, workload.rows(rows_path))
        with open(stream, "rb") as file:
            self._git("-C", self._a, "fast-import", "--quiet", stdin=file)
        os.unlink(stream)
        # Once more than is timed, through something that counts.
        self._wire_bytes = self._push(counting=True)[1]

    @staticmethod
    def _write(file, rows: list[workload.Row]) -> None:
        last = {}
        for mark, row in enumerate(rows, 1):
            blob = json.dumps({"origin": row.origin, "sequence": row.sequence, "kind": row.kind,
                               "register": row.register, "text": row.text}, ensure_ascii=False).encode()
            parent = f"from :{last[row.ticket]}\n" if row.ticket in last else ""
            file.write((f"commit refs/tickets/{row.ticket}\nmark :{mark}\n"
                        f"committer office{row.origin} <{row.origin}@office> {row.milliseconds // 1000} +0000\n"
                        f"data 0\n{parent}M 100644 inline operation\ndata {len(blob)}\n").encode())
            file.write(blob + b"\n")
            last[row.ticket] = mark

    def _git(self, *arguments: str, **options) -> str:
        return processes.run("git", *arguments, env=self._environment, **options)

    def round(self) -> Round:
        seconds, _ = self._push()
        return Round(seconds, self._wire_bytes / self.operations,
                     (processes.allocated_bytes(self._b) - self._empty) / self.operations)

    def _push(self, counting: bool = False) -> tuple[float, int]:
        shutil.rmtree(self._b, ignore_errors=True)
        self._git("init", "--quiet", "--bare", self._b)
        for name, value in (("core.fsync", "all"), ("core.fsyncMethod", "fsync"), ("receive.autogc", "false")):
            self._git("-C", self._b, "config", name, value)
        self._empty = processes.allocated_bytes(self._b)
        os.sync()
        port = processes.free_port()
        with processes.Process("git", "daemon", "--listen=127.0.0.1", f"--port={port}", f"--base-path={self._folder}",
                               "--export-all", "--enable=receive-pack", env=self._environment) as daemon:
            processes.wait_for(port, daemon)
            relay = processes.CountingRelay(port) if counting else None
            target = relay.port if relay else port
            start = time.monotonic()
            self._git("-C", self._a, "push", "--quiet", f"git://127.0.0.1:{target}/b.git", REFS)
            seconds = time.monotonic() - start
            if relay:
                relay.close()
        arrived = int(self._git("-C", self._b, "rev-list", "--count", "--all"))
        if arrived != self.operations:
            raise processes.Failure(f"B has {arrived} of {self.operations} commits")
        return seconds, relay.bytes if relay else 0

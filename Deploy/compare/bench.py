"""What `banjie-bench` measures: bare SQLite, two nodes, PostgreSQL."""

import json
import os

import processes

POSTGRES_FOLDER = "/usr/lib/postgresql"


class Bench:
    def __init__(self, program: str, scratch: str, operations: int):
        self._program = program
        self._scratch = scratch
        self._operations = str(operations)

    def rows_path(self, operations: int) -> str:
        """The file of a workload of this size, on a tenth as many tickets."""
        path = os.path.join(self._scratch, f"rows-{operations}.tsv")
        if not os.path.exists(path):
            processes.run(self._program, "rows", "write", str(operations), path)
        return path

    def reference(self) -> dict:
        """Bare SQLite alone: operationsPerSecond, diskBytesPerOperation."""
        return json.loads(processes.run(self._program, "rows", "reference", self._operations, self._scratch))

    def round(self, with_postgres: bool) -> dict:
        """Bare SQLite, then a region and its province, then PostgreSQL: one round of each."""
        parts = "sync,postgres" if with_postgres else "sync"
        return json.loads(processes.run(self._program, "--only", parts, "--rounds", "1", "--json", "--folder",
                                        self._scratch, "--operations", self._operations))


def require_postgres() -> None:
    versions = os.listdir(POSTGRES_FOLDER) if os.path.isdir(POSTGRES_FOLDER) else []
    if not any(os.access(f"{POSTGRES_FOLDER}/{version}/bin/initdb", os.X_OK) for version in versions):
        raise processes.Failure(f"there is none in {POSTGRES_FOLDER}")
    if os.geteuid() == 0:
        processes.require("setpriv")

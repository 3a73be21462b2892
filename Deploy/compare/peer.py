"""What every peer of the comparison offers."""

from dataclasses import dataclass


@dataclass
class Round:
    seconds: float
    """From before A begins to send to the moment when A knows that B has everything on its disk."""
    wire_bytes: float | None = None
    disk_bytes: float | None = None


class Peer:
    """`prepare` makes the operations at A, once and untimed; each `round` brings all of them to an empty B."""

    key: str
    name: str
    measured: str
    unequal: str
    operations_max = 200_000

    def __init__(self, scratch: str, operations: int):
        self.scratch = scratch
        self.operations = min(operations, self.operations_max)

    def version(self) -> str:
        """The program's name and version."""
        raise NotImplementedError

    def prepare(self, rows_path: str) -> None:
        raise NotImplementedError

    def round(self) -> Round:
        raise NotImplementedError

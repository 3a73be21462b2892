"""The operations that everything here is given: lines of `banjie-bench rows write`."""

from typing import NamedTuple

PER_DELTA = 500
OPENED, TRANSFERRED, CLOSED, NO_REGISTER = 100, 101, 102, -1


class Row(NamedTuple):
    origin: int
    sequence: int
    milliseconds: int
    ticket: int
    kind: int
    register: int
    """Which register of the ticket it sets: a field, OPENED, TRANSFERRED or CLOSED; NO_REGISTER for an event."""
    text: str


def rows(path: str) -> list[Row]:
    """The operations of a file, in the order of their times."""
    found = []
    with open(path, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            origin, sequence, time, ticket, kind, register, text = line[:-1].split("\t")
            text = text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
            # The upper 48 bits of a time are milliseconds.
            found.append(
                Row(int(origin), int(sequence), int(time) >> 16, int(ticket), int(kind), int(register), text))
    return found

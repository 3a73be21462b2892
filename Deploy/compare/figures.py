"""The figures of a run: ratios by round, and what is said of them."""

import json
from dataclasses import asdict, dataclass, field
from statistics import median

OURS, SEARCHABLE, STREAMED, BACKLOG = "banjie", "searchable", "postgres", "postgres-backlog"
REFERENCE, CEILING = "reference", "ceiling"


@dataclass
class Subject:
    """Something that was measured. A ratio is its operations a second to bare SQLite's, run just before it."""
    key: str
    name: str
    measured: str
    unequal: str
    operations: int
    tickets: int = 0
    version: str = ""
    ratios: list[float] = field(default_factory=list)
    wire_bytes: float | None = None
    disk_bytes: float | None = None


@dataclass
class Figures:
    operations: int
    tickets: int
    rounds: int
    machine: str
    loads: list[float] = field(default_factory=list)
    """The machine's load average when each round began."""
    subjects: list[Subject] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def subject(self, key: str) -> Subject | None:
        return next((subject for subject in self.subjects if subject.key == key and subject.ratios), None)

    def against(self, key: str) -> list[float]:
        """Banjie's operations a second to this one's, round by round."""
        ours, other = self.subject(OURS), self.subject(key)
        return [a / b for a, b in zip(ours.ratios, other.ratios)] if ours and other else []

    def json(self) -> str:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: str) -> "Figures":
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
        values["subjects"] = [Subject(**subject) for subject in values["subjects"]]
        return cls(**values)


@dataclass
class Aim:
    what: str
    bound: float
    is_least: bool
    value: float | None

    @property
    def is_met(self) -> bool:
        return self.value is not None and (self.value >= self.bound if self.is_least else self.value <= self.bound)

    @property
    def text(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {self.bound:g}"


DURABLE_RATIO_MIN = 1.3
SEARCHABLE_RATIO_MIN = 1.0
POSTGRES_RATIO_MIN = 2.0
WIRE_BYTES_MAX = 72.0


def aims(figures: Figures) -> list[Aim]:
    def middle(values: list[float]) -> float | None:
        return median(values) if values else None

    def of(key: str) -> list[float]:
        subject = figures.subject(key)
        return subject.ratios if subject else []

    ours = figures.subject(OURS)
    return [
        Aim("durable, to bare SQLite", DURABLE_RATIO_MIN, True, middle(of(OURS))),
        Aim("searchable, to bare SQLite", SEARCHABLE_RATIO_MIN, True, middle(of(SEARCHABLE))),
        Aim("durable, to PostgreSQL as it streams", POSTGRES_RATIO_MIN, True, middle(figures.against(STREAMED))),
        Aim("bytes an operation on the wire", WIRE_BYTES_MAX, False, ours.wire_bytes if ours else None),
    ]

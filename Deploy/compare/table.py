"""The figures as Markdown, and README's part that holds them."""

from statistics import median

from figures import CEILING, OURS, REFERENCE, SEARCHABLE, Figures, Subject, aims

BEGIN, END = "<!-- compare -->", "<!-- /compare -->"


def number(value: float) -> str:
    """Two digits that count at least, none that do not."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 \
        else f"{value:.3f}"


def spread(values: list[float]) -> str:
    if not values:
        return "–"
    middle = number(median(values))
    return f"× {middle}" + (f" [{number(min(values))}–{number(max(values))}]" if len(values) > 1 else "")


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |\n"


def head(*cells: str) -> str:
    return row(*cells) + row(*("---" for _ in cells))


def caption(figures: Figures) -> str:
    smaller = [f"{subject.name} {subject.operations:,} on {subject.tickets:,}" for subject in figures.subjects
               if 0 < subject.operations < figures.operations]
    rounds = f"{figures.rounds} rounds, in turn; medians with their range" if figures.rounds > 1 else "1 round"
    text = (f"{figures.operations:,} operations on {figures.tickets:,} tickets, {rounds}. Each figure is operations a "
            "second, to those of bare SQLite (log, ticket and register as plain rows, WAL, FULL, 500 operations a "
            "transaction) run just before it. Unless said, all operations are on A's disk when the clock starts, "
            "and on B's, with A knowing it, when it stops.")
    if smaller:
        text += f" Slow ones have fewer: {', '.join(smaller)}."
    versions = ", ".join(subject.version for subject in figures.subjects if subject.version)
    text += f" Measured by `Deploy/compare.sh` on {figures.machine}; {versions}."
    if figures.loads:
        text += f" The load was {number(min(figures.loads))} to {number(max(figures.loads))} as rounds began."
    return text


def ratios(figures: Figures) -> str:
    text = head("A to B", "to bare SQLite", "Banjie to it")
    for subject in figures.subjects:
        if not subject.ratios:
            continue
        ours = figures.against(subject.key) if subject.key not in (OURS, SEARCHABLE, CEILING, REFERENCE) else []
        text += row(f"**{subject.name}**" if subject.key in (OURS, SEARCHABLE) else subject.name,
                    "1" if subject.key == REFERENCE else spread(subject.ratios), spread(ours))
    return text


def described(figures: Figures) -> str:
    """A line for each: what was measured, and where it is not the same as ours."""
    text = ""
    for subject in figures.subjects:
        text += f"- {subject.name}: {subject.measured}."
        text += f" Not equal: {subject.unequal}.\n" if subject.unequal else "\n"
    return text


def judged(figures: Figures) -> str:
    text = head("Banjie's aims", "measured", "aim", "")
    for aim in aims(figures):
        value = "not measured" if aim.value is None else ("× " if aim.is_least else "") + number(aim.value)
        text += row(aim.what, value, aim.text, "met" if aim.is_met else "missed" if aim.value is not None else "–")
    return text


def sizes(figures: Figures) -> str:
    def cell(value: float | None) -> str:
        return "–" if value is None else number(value)

    def line(subject: Subject) -> str:
        return row(subject.name, cell(subject.wire_bytes), cell(subject.disk_bytes))

    measured = [subject for subject in figures.subjects if subject.wire_bytes or subject.disk_bytes]
    return head("bytes an operation", "on the wire", "on B's disk") + "".join(line(subject) for subject in measured)


def left_out(figures: Figures) -> str:
    if not figures.left_out:
        return ""
    return "Left out: " + "; ".join(f"{name} ({reason})" for name, reason in figures.left_out.items()) + "."


def markdown(figures: Figures) -> str:
    parts = [caption(figures), left_out(figures), ratios(figures), judged(figures), described(figures), sizes(figures),
             "On the wire are messages with their lengths (Banjie, Loro, pycrdt), what Fossil says it has sent, and "
             "else what went through the sockets; TLS, where there is any, is not in it. On the disk is the database "
             "after a checkpoint; of git, blocks."]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def put_into_readme(path: str, figures: Figures, picture: str) -> None:
    """Replaces what is between the markers; where there are none, adds them at the end."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    heading = "### Beside what else one would take"
    image = f"![Operations a second from A to B, to bare SQLite's]({picture})"
    part = f"{BEGIN}\n{heading}\n{image}\n\n{markdown(figures)}{END}"
    if BEGIN in text and END in text:
        before, rest = text.split(BEGIN, 1)
        text = before + part + rest.split(END, 1)[1]
    else:
        text = text.rstrip("\n") + "\n\n" + part + "\n"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)

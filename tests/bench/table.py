"""The rows of the table, and how they are written."""

from dataclasses import dataclass

HEAD = "| what | measured | floor | ratio | budget | kept |\n|---|---|---|---|---|---|"


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement beside its floor, both in `unit`; `limit` is what `measured` may be at most."""

    what: str
    unit: str
    measured: float
    limit: float
    floor: float | None = None
    floor_is: str = ""
    budget: str = ""
    """The budget in words, where it is not `limit` itself."""
    note: str = ""

    def __str__(self) -> str:
        floor = "" if self.floor is None else f"{_figure(self.floor)} {self.unit}"
        cells = (
            self.what,
            _joined(f"{_figure(self.measured)} {self.unit}".rstrip(), self.note),
            _joined(floor, self.floor_is),
            f"{_figure(self.measured / self.floor)}" if self.floor else "",
            self.budget or f"{_figure(self.limit)} {self.unit}".rstrip(),
            "yes" if self.measured <= self.limit else "**no**",
        )
        return f"| {' | '.join(cells)} |"


def _joined(figure: str, words: str) -> str:
    return f"{figure} ({words})" if figure and words else figure or words


def _figure(value: float) -> str:
    """Three digits are enough for anything that was measured."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"

"""The rows of the table."""

from dataclasses import dataclass

HEAD = "| what | measured | floor | ratio | budget | kept |\n|---|---|---|---|---|---|"


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement and its floor, both in `unit`; `measured` must not exceed `limit`."""

    what: str
    unit: str
    measured: float
    limit: float
    floor: float | None = None
    floor_is: str = ""
    budget: str = ""
    """The budget as text, if it is not just `limit`."""
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


def _joined(figure: str, remark: str) -> str:
    return f"{figure} ({remark})" if figure and remark else figure or remark


def _figure(value: float) -> str:
    """Return a number with at most three significant digits, or as an integer."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"

"""Which keys the footer shows: those that act on what is there now, as many as there is room for."""

from collections.abc import Iterable, Set
from dataclasses import replace

from textual.binding import ActiveBinding, Binding
from textual.screen import Screen

from comfytui.session.model import Job, JobStatus, LinkKind
from comfytui.session.state import SessionState
from comfytui.session.views import tally

AROUND = 3
"""Cells around a key and its word."""
SOMETIMES = frozenset({"cancel", "save", "again", "link", "reconnect"})
"""Keys that are shown only while they are offered; whether they act is another question."""
WORTH = (
    "generate", "help-anywhere", "leave", "again", "link", "reconnect", "help", "detach", "cancel", "save", "write",
    "filter", "queue.select",
)  # fmt: skip
"""What comes first where there is no room for all, after the keys of what is open just now, which have no id."""
RETRIED = frozenset({JobStatus.FAILED, JobStatus.INTERRUPTED, JobStatus.REJECTED})
"""Ends after which a job is likely to be made again."""
WELL = frozenset({LinkKind.CONNECTING, LinkKind.LIVE})


def offered(state: SessionState, selected: Job | None) -> frozenset[str]:
    """The ids of keys that something can be done with."""
    retried = selected is not None and selected.status in RETRIED
    lost = any(tally(state, batch).of(JobStatus.LOST) for batch in state.batches.values())
    offers = {
        "cancel": selected is not None and not selected.status.final,
        "save": selected is not None and bool(selected.outputs),
        "again": lost or retried,
        "link": state.link.kind not in WELL or state.link.behind > 0,
        "reconnect": state.link.kind not in WELL,
    }
    return frozenset(key for key, is_offered in offers.items() if is_offered)


def name_of(binding: Binding) -> str:
    """What tells a binding from others: its id, or what it does."""
    return binding.id or binding.action


def chosen(keys: Iterable[tuple[Binding, str]], offers: Set[str], width: int) -> frozenset[str]:
    """The names of the keys that are shown on `width` cells, of keys as they are written."""
    cells = {
        name_of(binding): len(shown) + len(binding.description) + AROUND
        for binding, shown in keys
        if (binding.id in offers if binding.id in SOMETIMES else binding.show)
    }
    taken: set[str] = set()
    for key in sorted(cells, key=lambda key: WORTH.index(key) if key in WORTH else -1):
        if cells[key] <= width:
            width -= cells[key]
            taken.add(key)
    return frozenset(taken)


class ThriftyScreen(Screen[None]):
    """A screen whose footer shows what matters now."""

    _offers: frozenset[str] = frozenset()

    def offer(self, keys: frozenset[str]) -> None:
        """Offer these of the keys that are shown only sometimes."""
        if keys != self._offers:
            self._offers = keys
            self.refresh_bindings()

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """What acts, of which only what there is room for is marked to be shown."""
        active = super().active_bindings
        # Of two keys for one action the later one is shown.
        by_action = {each.binding.action: each.binding for each in active.values()}
        keys = {name_of(each): (each, self.app.get_key_display(each)) for each in by_action.values()}
        shown = chosen(keys.values(), self._offers, self.size.width)
        return {
            key: each._replace(binding=replace(each.binding, show=name_of(each.binding) in shown))
            for key, each in active.items()
        }

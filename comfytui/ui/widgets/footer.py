"""Which keys the footer shows: those that act on what is there now, as many as there is room for."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from types import MappingProxyType

from textual.binding import ActiveBinding, Binding
from textual.screen import Screen

from comfytui.session.model import Job, JobStatus, LinkKind
from comfytui.session.selectors import batch_of, counts_of, lost_jobs
from comfytui.session.state import SessionState

AROUND = 3
"""Cells around a key and its word."""
SOMETIMES = frozenset({"cancel", "save", "again", "link", "reconnect"})
"""Keys that are shown only while they are offered; whether they act is another question."""
PRIORITY = (
    "generate", "help-anywhere", "leave", "again", "link", "reconnect", "help", "detach", "cancel", "save", "write",
    "filter", "queue.select",
)  # fmt: skip
"""What comes first where there is no room for all, after the keys of what is open just now, which have no id."""
RETRIED = frozenset({JobStatus.FAILED, JobStatus.INTERRUPTED, JobStatus.REJECTED})
"""Ends after which a job is likely to be made again."""
WELL = frozenset({LinkKind.CONNECTING, LinkKind.LIVE})


def should_resend(state: SessionState, selected: Job | None) -> bool:
    """Whether lost jobs are to be resent, rather than the selected job made again.

    They are if the selected job or one of its batch is among them, or if nothing can be done with the selected one.
    """
    if not any(counts_of(state, batch).of(JobStatus.LOST) for batch in state.batches.values()):
        return False
    if selected is None or not selected.status.final:
        return bool(lost_jobs(state))
    batch = batch_of(state, selected)
    return selected.status not in RETRIED and batch is not None and bool(lost_jobs(state, batch))


def contextual_keys(state: SessionState, selected: Job | None) -> Mapping[str, str]:
    """The ids of keys that something can be done with, and what they do; empty where that is always the same."""
    offers: dict[str, str] = {}
    if selected is not None and not selected.status.final:
        offers["cancel"] = "Dismiss" if selected.status is JobStatus.LOST else "Cancel"
    if selected is not None and selected.outputs:
        offers["save"] = ""
    if should_resend(state, selected):
        offers["again"] = "Resend"
    elif selected is not None and selected.status in RETRIED:
        offers["again"] = "Retry"
    if state.link.kind not in WELL:
        offers["reconnect"] = ""
    if "reconnect" in offers or state.link.behind > 0:
        offers["link"] = ""
    return offers


def binding_name(binding: Binding) -> str:
    """What tells a binding from others: its id, or what it does."""
    return binding.id or binding.action


def fitting_keys(keys: Iterable[tuple[Binding, str]], offers: Set[str], width: int) -> frozenset[str]:
    """The names of the keys that are shown on `width` cells, of keys as they are written."""
    cells = {
        binding_name(binding): len(shown) + len(binding.description) + AROUND
        for binding, shown in keys
        if (binding.id in offers if binding.id in SOMETIMES else binding.show)
    }
    taken: set[str] = set()
    for key in sorted(cells, key=lambda key: PRIORITY.index(key) if key in PRIORITY else -1):
        if cells[key] <= width:
            width -= cells[key]
            taken.add(key)
    return frozenset(taken)


class AdaptiveFooterScreen(Screen[None]):
    """A screen whose footer shows what matters now."""

    _offers: Mapping[str, str] = MappingProxyType({})

    def offer(self, keys: Mapping[str, str]) -> None:
        """Offer these of the keys that are shown only sometimes, with other words where there are some."""
        if keys != self._offers:
            self._offers = keys
            self.refresh_bindings()

    def key_description(self, binding: Binding) -> str:
        """What the footer says that a key does just now."""
        return self._offers.get(binding.id or "") or binding.description

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """What acts, of which only what there is room for is marked to be shown."""
        active = {
            key: each._replace(binding=replace(each.binding, description=self.key_description(each.binding)))
            for key, each in super().active_bindings.items()
        }
        # Of two keys for one action the later one is shown.
        by_action = {each.binding.action: each.binding for each in active.values()}
        keys = {binding_name(each): (each, self.app.get_key_display(each)) for each in by_action.values()}
        shown = fitting_keys(keys.values(), self._offers.keys(), self.size.width)
        return {
            key: each._replace(binding=replace(each.binding, show=binding_name(each.binding) in shown))
            for key, each in active.items()
        }

"""Choose the keys that the footer shows: those that can be used now, as many as fit."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from types import MappingProxyType

from textual.binding import ActiveBinding, Binding
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer

from comfytui.session.model import Job, JobStatus, LinkKind
from comfytui.session.selectors import batch_of, can_cancel, counts_of, lost_jobs
from comfytui.session.state import SessionState

KEY_PADDING = 3
"""Cells around a key and its description."""
CONTEXTUAL_KEYS = frozenset({"cancel", "save", "again", "link", "reconnect"})
"""Ids of keys that the footer shows only in a state in which they are useful; they may act in others, too."""
PRIORITY = (
    "generate", "help-anywhere", "leave", "again", "link", "reconnect", "help", "detach", "cancel", "save", "write",
    "filter", "queue.select", "open-workflow",
)  # fmt: skip
"""Ids of keys, the most important first. Keys of an open menu or dialog, which have no id, come before all of them."""
RETRYABLE = frozenset({JobStatus.FAILED, JobStatus.INTERRUPTED, JobStatus.REJECTED})
"""Ends after which the user is likely to make the image again."""
HEALTHY = frozenset({LinkKind.CONNECTING, LinkKind.LIVE})
"""States of the link that need no reconnect."""


def should_resend(state: SessionState, selected: Job | None) -> bool:
    """Return whether the key `again` resends lost jobs, instead of making the selected job again.

    It resends them if the selected job or another one of its batch is lost, or if nothing can be done with the
    selected job.
    """
    if not any(counts_of(state, batch).of(JobStatus.LOST) for batch in state.batches.values()):
        return False
    if selected is None or not selected.status.final:
        return bool(lost_jobs(state))
    batch = batch_of(state, selected)
    return selected.status not in RETRYABLE and batch is not None and bool(lost_jobs(state, batch))


def contextual_keys(state: SessionState, selected: Job | None) -> Mapping[str, str]:
    """Return the ids of the contextual keys that are useful now, each with its description.

    An empty description stands for the binding's own.
    """
    keys: dict[str, str] = {}
    if selected is not None and not selected.status.final and can_cancel(state, selected):
        keys["cancel"] = "Dismiss" if selected.status is JobStatus.LOST else "Cancel"
    if selected is not None and selected.outputs:
        keys["save"] = ""
    if should_resend(state, selected):
        keys["again"] = "Resend"
    elif selected is not None and selected.status in RETRYABLE:
        keys["again"] = "Retry"
    if state.link.kind not in HEALTHY or state.link.reason:
        keys["reconnect"] = ""
    if "reconnect" in keys or state.link.lag_seconds > 0:
        keys["link"] = ""
    return keys


def binding_name(binding: Binding) -> str:
    """Return the id of a binding, or its action if it has none."""
    return binding.id or binding.action


def fitting_keys(keys: Iterable[tuple[Binding, str]], contextual: Set[str], width: int) -> frozenset[str]:
    """Return the names of the keys to show on `width` cells.

    Args:
        keys: All bindings, each with its key as it is displayed.
        contextual: The ids of the contextual keys that are useful now.
        width: The cells of the footer.
    """
    cells = {
        binding_name(binding): len(display) + len(binding.description) + KEY_PADDING
        for binding, display in keys
        if (binding.id in contextual if binding.id in CONTEXTUAL_KEYS else binding.show)
    }
    fitting: set[str] = set()
    for name in sorted(cells, key=lambda name: PRIORITY.index(name) if name in PRIORITY else -1):
        if cells[name] <= width:
            width -= cells[name]
            fitting.add(name)
    return frozenset(fitting)


class AdaptiveFooterScreen(Screen[None]):
    """A screen whose footer shows only the keys that are useful now."""

    # Textual repaints the whole screen when the focus moves; the widgets whose styles it changes repaint themselves.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    _contextual_keys: Mapping[str, str] = MappingProxyType({})

    def supports(self, action: str) -> bool:
        """Return whether the server can do what an action needs; footer, help and command palette lack the others."""
        return True

    def set_contextual_keys(self, keys: Mapping[str, str]) -> None:
        """Show these of the contextual keys, with the descriptions that are not empty."""
        if keys != self._contextual_keys:
            self._contextual_keys = keys
            self.refresh_bindings()

    def key_description(self, binding: Binding) -> str:
        """Return what the footer says about a key."""
        return self._contextual_keys.get(binding.id or "") or binding.description

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """All active bindings; only those that fit into the footer are marked as shown."""
        active = {
            key: each._replace(binding=replace(each.binding, description=self.key_description(each.binding)))
            for key, each in super().active_bindings.items()
        }
        # Of two keys for one action the later one is shown.
        by_action = {each.binding.action: each.binding for each in active.values()}
        keys = {binding_name(each): (each, self.app.get_key_display(each)) for each in by_action.values()}
        shown = fitting_keys(keys.values(), self._contextual_keys.keys(), self.size.width)
        return {
            key: each._replace(binding=replace(each.binding, show=binding_name(each.binding) in shown))
            for key, each in active.items()
        }


class KeyFooter(Footer):
    """A footer that is made anew only when it shows other keys: most moves of the focus leave them as they are."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, show_command_palette=False)
        self._shown: tuple[tuple[Binding, bool, str], ...] | None = None

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Show the keys of a screen; called when they may have changed."""
        if self.is_attached and screen is self.screen and screen.app.app_focus:
            active = screen.active_bindings.values()
            shown = tuple((each.binding, each.enabled, each.tooltip) for each in active if each.binding.show)
            if shown == self._shown:
                return
            self._shown = shown
        super().bindings_changed(screen)

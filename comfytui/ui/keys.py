"""The key bindings of the dashboard, and the texts of the help about the others.

Each binding has an id, so that it can be remapped, and appears in the footer, the help or the command palette.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from textual.binding import Binding
from textual.screen import Screen

from comfytui.session.model import Job
from comfytui.session.selectors import batch_of, can_cancel, cancellable_jobs
from comfytui.session.state import SessionState
from comfytui.ui.widgets.footer import AdaptiveFooterScreen

HELP_BINDING = Binding(
    "f1", "help", "Help", key_display="F1", priority=True, id="help-anywhere", tooltip="Show all keys"
)
QUIT_BINDING = Binding(
    "ctrl+q", "quit", "Detach", show=False, priority=True, id="quit", tooltip="Detach, also while typing"
)
"""Bindings of the application, so that they work in text fields and dialogs too."""
SHOW_JOB_BINDING = Binding(
    "enter",
    "select",
    "Show",
    key_display="enter",
    id="queue.select",
    tooltip="Show the selected job large, with seed and settings",
)
"""A binding of the queue list, so that it acts only there."""
DASHBOARD_BINDINGS = [
    Binding(
        "f5,ctrl+j", "generate", "Generate", key_display="F5", priority=True, id="generate", tooltip="Queue the batch"
    ),
    Binding("x", "cancel", "Cancel", id="cancel", tooltip="Cancel the selected job, or dismiss it if it is lost"),
    Binding(
        "X",
        "cancel_batch",
        "Cancel batch",
        show=False,
        id="cancel-batch",
        tooltip="Cancel the rest of the selected job's batch",
    ),
    Binding("s", "save", "Save", id="save", tooltip="Save the selected job's files"),
    Binding("r", "again", "Retry", id="again", tooltip="Make the selected job again, or resend lost jobs"),
    Binding(
        "R",
        "again_new_seed",
        "New seed",
        show=False,
        id="again-new-seed",
        tooltip="Make the selected job again with a new seed",
    ),
    Binding(
        "ctrl+o",
        "open_workflow",
        "Open",
        key_display="ctrl+o",
        id="open-workflow",
        tooltip="Open a workflow, or switch to an open one",
    ),
    Binding(
        "e",
        "recall",
        "Edit",
        show=False,
        id="recall",
        tooltip="Fill the form with what the selected job was made of",
    ),
    Binding(
        "ctrl+s",
        "presets",
        "Presets",
        show=False,
        id="presets",
        tooltip="Load, save, rename or delete presets of the form",
    ),
    Binding(
        "f3",
        "prompt_history",
        "Prompt history",
        key_display="F3",
        show=False,
        priority=True,
        id="prompt-history",
        tooltip="Take a prompt that was used before",
    ),
    Binding(
        "f6",
        "show_prompt",
        "Prompt",
        key_display="F6",
        show=False,
        priority=True,
        id="show-prompt",
        tooltip="Show the prompt as JSON, and what the form changed",
    ),
    Binding(
        "ctrl+z",
        "undo_form",
        "Undo form",
        show=False,
        priority=True,
        id="undo-form",
        tooltip="Put back the form that was just replaced",
    ),
    Binding(
        "f4",
        "expansions",
        "Variations",
        show=False,
        priority=True,
        id="expansions",
        tooltip="Show ten texts that the prompt's variations become",
    ),
    Binding(
        "alt+z",
        "enlarge_prompt",
        "Prompt large",
        show=False,
        id="enlarge-prompt",
        tooltip="Give the prompt the whole screen",
    ),
    # Some terminals keep these keys of the prompt for themselves: the palette has them, too.
    Binding(
        "ctrl+up",
        "weigh_prompt(1)",
        "Raise the weight at the cursor",
        show=False,
        id="raise-prompt-weight",
        tooltip="Raise the weight of the word or parenthesis at the cursor of the prompt",
    ),
    Binding(
        "ctrl+down",
        "weigh_prompt(-1)",
        "Lower the weight at the cursor",
        show=False,
        id="lower-prompt-weight",
        tooltip="Lower the weight of the word or parenthesis at the cursor of the prompt",
    ),
    Binding(
        "ctrl+e",
        "edit_prompt",
        "Editor",
        show=False,
        id="edit-prompt",
        tooltip="Edit the prompt in $VISUAL or $EDITOR",
    ),
    Binding(
        "ctrl+f",
        "find_input",
        "Find input",
        show=False,
        priority=True,
        id="find-input",
        tooltip="Find a node or an input of the workflow",
    ),
    Binding("slash", "filter", "Filter", key_display="/", id="filter", tooltip="Show only matching jobs"),
    Binding("n", "write", "Form", id="write", tooltip="Go to the prompt form"),
    Binding("p", "previews", "Previews", id="previews", show=False, tooltip="Live previews on or off"),
    Binding("l", "link", "Link", show=False, id="link", tooltip="Show the state of the connection, and why"),
    Binding(
        "ctrl+r",
        "reconnect",
        "Reconnect",
        key_display="ctrl+r",
        id="reconnect",
        show=False,
        tooltip="Reconnect now",
    ),
    # Listed here for its place in the footer; ? replaces it there while letters are commands.
    HELP_BINDING,
    Binding("escape", "leave", "Commands", id="leave", tooltip="Leave the field, filter or form to use the commands"),
    Binding("question_mark", "help", "Help", key_display="?", id="help", tooltip="Show all keys"),
    Binding("q", "app.quit", "Detach", id="detach", tooltip="Detach: close comfytui, the jobs go on"),
]


def can_cancel_batch(state: SessionState, selected: Job | None) -> bool:
    """Return whether a job of the selected job's batch can be cancelled, as far as is known; any, if None."""
    batch = batch_of(state, selected) if selected else None
    return can_cancel(state, None) or (batch is not None and bool(cancellable_jobs(state, batch)))


def sends_previews(state: SessionState, _selected: Job | None) -> bool:
    """Return whether the server sends previews, as far as is known."""
    return state.capabilities is None or state.capabilities.previews


REQUIREMENTS: Mapping[str, Callable[[SessionState, Job | None], bool]] = {
    "cancel": can_cancel,
    "cancel_batch": can_cancel_batch,
    "previews": sends_previews,
}
"""By action, whether it can be done in a state with the selected job; every server can do the other actions."""
FORM_KEYS = [
    ("ctrl+up, ctrl+down", "In a prompt: weight of the word or parenthesis (alt+up, alt+down too)"),
    ("tab", "In a prompt: take the completion; up and down choose another, esc closes them"),
    ("tab, shift+tab", "Go to the next or previous field"),
    ("enter", "In a line: go to the next field. In a list: open it, or edit the value"),
    ("letters, digits", "In the list of inputs: a new value. In a list of names: find one"),
    (",", "In a number, 20,30 or 5..8:1: an image of each. In a list: mark several"),
    ("left, right, + -", "In the list of inputs: change a number, open or close a node"),
    ("space", "In the list of inputs: switch on or off"),
    ("ctrl+r", "In the form: put a value back to the file's"),
]
"""The form's own keys and what they do, for the help."""
KEY_NAMES = {
    "slash": "/",
    "question_mark": "?",
    "escape": "esc",
    "f5": "F5",
    "f1": "F1",
    "f3": "F3",
    "f4": "F4",
    "f6": "F6",
}


def describe(binding: Binding) -> tuple[str, str]:
    """Return a binding's keys and what they do, for the help."""
    keys = " or ".join(KEY_NAMES.get(key, key) for key in binding.key.split(","))
    return keys, binding.tooltip or binding.description


QUEUE_KEYS = [("arrows, home, end", "Select a job (page keys work too)"), describe(SHOW_JOB_BINDING)]
"""The queue's own keys and what they do, for the help."""
GLOBAL_KEYS = [
    ("F1 or ?", "Show these keys (? not while typing)"),
    ("ctrl+p", "Command palette: all actions by name, and themes"),
    describe(QUIT_BINDING),
]
"""The application's own keys and what they do, for the help."""


def is_supported(screen: Screen[Any], binding: Binding) -> bool:
    """Return whether the server can do what a binding of a screen needs."""
    return not isinstance(screen, AdaptiveFooterScreen) or screen.supports(binding.action)


def palette_bindings(screen: Screen[Any]) -> Iterable[Binding]:
    """Return a screen's bindings for the command palette, one for each id; help and quit have commands of their own."""
    bindings = [each for _, each in screen._bindings if each.id and each.description and is_supported(screen, each)]
    return {each.id: each for each in bindings if each.action not in {"help", "quit", "app.quit"}}.values()

"""The keys of the dashboard: each has an id, so that it can be remapped, and stands in footer, help and palette."""

from textual.binding import Binding

HELP_ANYWHERE = Binding(
    "f1", "help", "Help", key_display="F1", priority=True, id="help-anywhere", tooltip="Show all keys"
)
"""Works in text fields and dialogs too, for which it belongs to the application."""
DASHBOARD = [
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
    # Named here for its place in the footer, where ? replaces it as soon as letters act.
    HELP_ANYWHERE,
    Binding("escape", "leave", "Commands", id="leave", tooltip="Leave the field, filter or form to use the commands"),
    Binding("question_mark", "help", "Help", key_display="?", id="help", tooltip="Show all keys"),
    Binding("q", "app.quit", "Detach", id="detach", tooltip="Detach: close comfytui, the jobs go on"),
]
FORM = [
    ("tab, shift+tab", "Go to the next or previous field"),
    ("enter", "In a line: go to the next field. In a list: open it"),
]
"""What the form's own keys do, in the words of the help."""
QUEUE = [
    ("arrows, home, end", "Select a job (page keys work too)"),
    ("enter", "Show the selected job large, with seed and settings"),
]
"""What the queue's own keys do, in the words of the help."""
ANYWHERE = [
    ("F1 or ?", "Show these keys (? not while typing)"),
    ("ctrl+p", "Command palette: all actions by name, and themes"),
    ("ctrl+q", "Detach, also while typing"),
]
"""What the application's own keys do, in the words of the help."""
NAMES = {"slash": "/", "question_mark": "?", "escape": "esc", "f5": "F5", "f1": "F1"}


def told(binding: Binding) -> tuple[str, str]:
    """A binding's key and what it does, as the help has them."""
    keys = " or ".join(NAMES.get(key, key) for key in binding.key.split(","))
    return keys, binding.tooltip or binding.description

"""The keys of the dashboard: each has an id, so that it can be remapped, and stands in footer, help and palette."""

from textual.binding import Binding

DASHBOARD = [
    Binding("f5,ctrl+j", "generate", "Generate", key_display="F5", priority=True, id="generate", tooltip="Queue it"),
    Binding("x", "cancel", "Cancel", id="cancel", tooltip="Cancel the selected job, or dismiss it if it is lost"),
    Binding(
        "X",
        "cancel_batch",
        "Cancel batch",
        show=False,
        id="cancel-batch",
        tooltip="Cancel all of the selected job's batch",
    ),
    Binding("s", "save", "Save", id="save", tooltip="Save the selected job's pictures"),
    Binding("r", "again", "Resend", id="again", tooltip="Resend lost jobs, with their seeds"),
    Binding("slash", "filter", "Filter", key_display="/", id="filter", tooltip="Show only matching jobs"),
    Binding("n", "write", "Form", id="write", tooltip="Go to the prompt form"),
    Binding("p", "previews", "Previews", id="previews", show=False, tooltip="Live previews on or off"),
    Binding("l", "link", "Link", show=False, id="link", tooltip="Show how the server is reached, and why"),
    Binding("ctrl+r", "reconnect", "Reconnect", id="reconnect", show=False, tooltip="Reconnect now"),
    Binding(
        "escape",
        "leave",
        "Commands",
        id="leave",
        tooltip="Leave the text field, filter or form: letters are commands then",
    ),
    Binding("question_mark", "help", "Help", key_display="?", id="help", tooltip="Show all keys"),
    Binding("q", "app.quit", "Detach", id="detach", tooltip="Detach: close comfytui, the jobs go on"),
]
QUEUE = [
    ("arrows, page keys, home, end", "Select a job"),
    ("enter", "Show the selected job large, with seed and settings"),
    ("left, right", "In the large view: the images of a job one by one"),
]
"""What the queue's own keys do, in the words of the help."""


def told(binding: Binding) -> tuple[str, str]:
    """A binding's key and what it does, as the help has them."""
    names = {"slash": "/", "question_mark": "?", "escape": "esc", "f5": "F5"}
    keys = " or ".join(names.get(key, key) for key in binding.key.split(","))
    return keys, binding.tooltip or binding.description

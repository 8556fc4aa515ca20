"""Compose the message that tells the user what became of a job's files."""

from comfytui.presentation.command_text import NotificationText
from comfytui.sanitize import sanitize
from comfytui.service.saving import SavedOutputs

SEED_DIFFERS = (
    "{} has a different seed than this job: it is an older image from the cache, or a newer one of the same name."
)


def saving_message(result: SavedOutputs) -> NotificationText:
    """Return the message that says what was saved where, or what failed."""
    count = len(result.paths)
    if result.error is not None:
        done = f"{count} of {result.total} saved. " if count else ""
        return f"{done}{result.error}", "error"
    if not count:
        return "This job has no files to save.", "information"
    where = sanitize(str(result.paths[0]), 200)
    text = f"Saved {where}" if count == 1 else f"Saved {count} files, the first as {where}"
    if result.other_seed:
        return f"{text}. {SEED_DIFFERS.format(sanitize(result.other_seed, 80))}", "warning"
    return text, "information"

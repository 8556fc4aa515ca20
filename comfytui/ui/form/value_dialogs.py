"""Dialogs that change one value: a picker for choices and files, and a screen for a text of several lines."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from textual.app import App

from comfytui.ui.form.controls import SEVERAL_SEPARATOR
from comfytui.ui.form.input_rows import Item
from comfytui.workflow.input_specs import text_of

if TYPE_CHECKING:
    from comfytui.ui.form.prompt_area import PromptArea
    from comfytui.ui.screens.text import TextScreen
    from comfytui.ui.widgets.entry_search import Entry, EntryGroup

Take = Callable[[str], object]
"""Takes the text of the new value."""

TakePath = Callable[[Path], object]
"""Takes the path of a file of this machine."""

BROWSE: Final = "\0browse"
"""Stands for browsing among the names of files, none of which has a null character."""
MASK: Final = "\0mask"
"""Stands for browsing for a mask."""


def pick_value(app: App[Any], item: Item, text: str, query: str, take: Take, take_mask: TakePath) -> None:
    """Let the user choose one of an input's choices, or of the server's files; a file may also be named.

    Args:
        app: The application.
        item: The input.
        text: The present value.
        query: What is typed in the picker at first.
        take: Takes the choice.
        take_mask: Takes a mask for the picture that is the present value.
    """
    # Imported late, as below: the first paint does not need them.
    from comfytui.ui.form.name_entries import name_group
    from comfytui.ui.screens.picker import PickerScreen
    from comfytui.ui.widgets.entry_search import EntryGroup

    names = item.spec.options or ()
    if item.spec.upload and text not in names and text not in {"", text_of(item.value)}:
        # A file that was uploaded after the server was asked for the names; one that the workflow names may be missing.
        names = (text, *names)
    is_free = item.spec.kind == "file" or item.spec.options is None
    here = _on_this_machine(item, text)
    before = sum(len(group.entries) for group in here)

    def take_entry(entry: "Entry[str] | None") -> None:
        if entry is not None and here and entry.value == BROWSE:
            browse(app, item.label, lambda path: take(str(path)))
        elif entry is not None and here and entry.value == MASK:
            browse(app, "Mask", take_mask)
        elif entry is not None:
            take(entry.value)

    screen = PickerScreen(
        item.label,
        [*here, EntryGroup("Server", name_group(names).entries)] if here else [name_group(names)],
        current=names.index(text) + before if text in names else None,
        query=query.strip(),
        typed=str if is_free else None,
        empty="Type a name, or the path of a file of this machine."
        if here
        else "Type a name."
        if is_free
        else "The server offers nothing to choose from.",
    )
    app.push_screen(screen, take_entry)


def _on_this_machine(item: Item, text: str) -> "list[EntryGroup[str]]":
    """Return the ways to files of this machine, for inputs that take uploads; a picture takes a mask, too."""
    from comfytui.ui.widgets.entry_search import Entry, EntryGroup

    if item.spec.upload is None:
        return []
    entries = [Entry("Browse the folders…", BROWSE)]
    if item.spec.upload.media == "image" and text and SEVERAL_SEPARATOR not in text:
        entries.append(Entry("Put a mask into this picture…", MASK, "masked is what is transparent, or white"))
    return [EntryGroup("This machine", entries)]


def browse(app: App[Any], heading: str, take: TakePath, folder: Path | None = None) -> None:
    """Let the user choose a file in the folders of this machine, beginning with one, or the current one."""
    from comfytui.ui.folders import current_folder
    from comfytui.ui.screens.browse import BrowseScreen

    def take_path(entry: "Entry[Path] | None") -> None:
        if entry is not None:
            take(entry.value)

    app.push_screen(BrowseScreen(heading, folder or current_folder()), take_path)


def pick_several(app: App[Any], item: Item, text: str, take: Take) -> None:
    """Let the user mark several of an input's choices: the batch has an image of each."""
    from comfytui.ui.screens.several import SeveralScreen

    names = item.spec.options or ()
    marked = [text] if text in names else text.split(SEVERAL_SEPARATOR)

    def take_names(result: list[str] | None) -> None:
        if result:
            take(SEVERAL_SEPARATOR.join(result))

    app.push_screen(SeveralScreen(item.label, names, marked), take_names)


def edit_text(
    app: App[Any], item: Item, area: "PromptArea", take: Take, expand: Callable[[str], None] | None
) -> "TextScreen":
    """Let the user edit a text of several lines, and return the screen; `expand` shows what a prompt becomes."""
    from comfytui.ui.screens.text import TextScreen

    def take_text(result: str | None) -> None:
        if result is not None:
            take(result)

    screen = TextScreen(item.label, area, take, expand)
    app.push_screen(screen, take_text)
    return screen

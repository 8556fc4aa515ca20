"""How the value of a listed input is edited: in its place, in a dialog, or by a file of this machine that it names."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual.geometry import Region

from comfytui.sanitize import sanitize
from comfytui.ui.form.controls import SEVERAL_KEY
from comfytui.ui.form.input_controls import ValueEditor
from comfytui.ui.form.input_rows import Item
from comfytui.ui.form.prompt_area import PromptArea
from comfytui.ui.form.value_dialogs import browse, pick_several, pick_value
from comfytui.ui.form.value_dialogs import edit_text as show_text
from comfytui.ui.typed_path import is_local, local_file, local_folder
from comfytui.workflow.fields import FieldKey

if TYPE_CHECKING:
    from comfytui.ui.form.input_panel import InputPanel
    from comfytui.ui.screens.text import TextScreen

MAX_PATH: Final = 100
"""Characters of a path in a message."""


class ValueEditing:
    """Edits the values of a list of inputs.

    Args:
        panel: The part of the form with the list, which posts what a value needs of the server.
        editor: Edits a value in its place.
        prompt_weights: Returns whether the encoder of a prompt reads weights; None for inputs that are no prompts.
    """

    def __init__(
        self, panel: "InputPanel", editor: ValueEditor, prompt_weights: Callable[[FieldKey], bool | None]
    ) -> None:
        self._panel = panel
        self._editor = editor
        self._prompt_weights = prompt_weights

    def edit(self, item: Item, typed: str) -> None:
        """Edit a value; `typed` is what was typed or pasted already."""
        text, take = self._panel.values.text(item), partial(self._take, item)
        if item.spec.kind == "file" and len(typed) > 1 and is_local(typed):
            self._take(item, typed)
        elif item.spec.kind == "choice" and typed == SEVERAL_KEY and item.spec.options:
            pick_several(self._panel.app, item, text, take)
        elif item.spec.kind in {"choice", "file"}:
            pick_value(self._panel.app, item, text, typed, take, partial(self._take_mask, item, text))
        elif item.spec.multiline:
            self.edit_text(item, text + typed)
        else:
            self._edit_in_place(item, typed)

    def texts(self) -> dict[FieldKey, str]:
        """Return the text that is edited in its place, by the key of its input; nothing while none is."""
        item, text = self._editor.item, self._editor.value
        return {} if item is None or text == self._panel.values.text(item) else {item.key: text}

    def close(self, *, taken: bool) -> bool:
        """End the editing, and return whether something was edited."""
        text, item = self._editor.value, self._editor.close()
        if item is not None and taken:
            self._panel.inputs.change(item, text)
        return item is not None

    def edit_text(self, item: Item, text: str) -> "TextScreen":
        """Edit a text of several lines on a screen of its own."""
        weights = self._prompt_weights(item.key)
        sources = None if weights is None else getattr(self._panel.screen, "prompt_sources", None)
        area = PromptArea(text, reads_weights=bool(weights), sources=sources)
        expand = None if weights is None else partial(self._ask_for_expansions, item.key)
        return show_text(self._panel.app, item, area, partial(self._take, item), expand)

    def _ask_for_expansions(self, key: FieldKey, text: str) -> None:
        self._panel.post_message(self._panel.ExpansionsAsked(key, text))

    def _take(self, item: Item, text: str) -> None:
        """Take the text of a value; a file of this machine has to be uploaded first."""
        if item.spec.kind != "file" or text in (item.spec.options or ()):
            self._panel.inputs.change(item, text)
        elif path := local_file(text):
            self._panel.post_message(self._panel.FileNamed(self._panel, item, path))
        elif folder := local_folder(text):
            browse(self._panel.app, item.label, lambda path: self._take(item, str(path)), folder)
        elif is_local(text):
            self._panel.uploads.end(item, f"There is no file {sanitize(text, MAX_PATH)} on this machine.")
        else:
            self._panel.inputs.change(item, text)

    def _take_mask(self, item: Item, picture: str, path: Path) -> None:
        self._panel.post_message(self._panel.FileNamed(self._panel, item, path, picture))

    def _edit_in_place(self, item: Item, typed: str) -> None:
        column, line, cells = self._panel.inputs.value_region()
        place = Region(column, self._panel.inputs.virtual_region.y + line, cells, 1)
        self._editor.open(
            item, typed.strip() if typed else self._panel.values.text(item), place, self._panel.size.width
        )

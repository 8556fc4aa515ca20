"""Uploads of files for inputs, each shown in the place of the value that it is for."""

from collections.abc import Callable

from comfytui.ui.form.input_list import InputList
from comfytui.ui.form.input_rows import Item
from comfytui.workflow.fields import FieldKey


class InputUploads:
    """The uploads that go on.

    Args:
        inputs: The list that shows them.
        show_help: Called when there is something else to say about the input under the cursor.
    """

    def __init__(self, inputs: InputList, show_help: Callable[[], object]) -> None:
        self._inputs = inputs
        self._show_help = show_help
        self._cancel: dict[FieldKey, Callable[[], object]] = {}
        """What ends each upload."""

    def show(self, item: Item, text: str, cancel: Callable[[], object]) -> None:
        """Show the progress of an upload.

        Args:
            item: The input.
            text: What is shown.
            cancel: Ends the upload.
        """
        if not self._inputs.is_attached:
            cancel()  # Nobody would take the file.
            return
        self._cancel[item.key] = cancel
        self._inputs.values.show_upload(item.key, text)
        self._refresh()

    def end(self, item: Item, error: str = "") -> None:
        """Show the value again, and what went wrong."""
        self._cancel.pop(item.key, None)
        self._inputs.values.show_upload(item.key, "")
        self._inputs.remove_class("-wrong")
        if error:
            self._inputs.values.refuse(item.key, error)
        else:
            self._inputs.values.clear_refusal(item.key)
        self._refresh()

    def take(self, item: Item, name: str) -> None:
        """Use a file that the server has now."""
        self.end(item)
        if self._inputs.is_attached:
            self._inputs.change(item, name)

    def cancel(self, item: Item) -> None:
        """End the upload for an input."""
        if cancel := self._cancel.get(item.key):
            cancel()

    def cancel_all(self) -> None:
        """End all uploads."""
        for cancel in self._cancel.values():
            cancel()

    def _refresh(self) -> None:
        if self._inputs.is_attached:
            self._inputs.refresh_values()
            self._show_help()

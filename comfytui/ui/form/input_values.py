"""The values that were typed for the inputs of a workflow, right or wrong, as texts."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from comfytui.sanitize import sanitize
from comfytui.ui.form.input_rows import Item
from comfytui.workflow.axes import Axes, parse_axis
from comfytui.workflow.fields import FieldKey, FieldValue
from comfytui.workflow.input_specs import InputSpec, parse_input, text_of, unknown_choice_error
from comfytui.workflow.nodes import is_number

MAX_CHOICE: Final = 80
"""Characters of a choice in a message."""


class InputValues:
    """Texts that differ from the workflow's values.

    Args:
        texts: The texts of a draft; of keys that are not known yet, too.
    """

    def __init__(self, texts: Mapping[FieldKey, str]) -> None:
        self._texts = dict(texts)
        self._refusals: dict[FieldKey, str] = {}
        self._uploads: dict[FieldKey, str] = {}

    @property
    def texts(self) -> Mapping[FieldKey, str]:
        """The texts that differ, by their keys."""
        return self._texts

    def text(self, item: Item) -> str:
        """Return the text of a value."""
        return self._texts.get(item.key, text_of(item.value))

    def is_changed(self, item: Item) -> bool:
        """Return whether a value differs from the workflow's."""
        return item.key in self._texts

    def set(self, item: Item, text: str) -> bool:
        """Set the text of a value, and return whether it differs from the one before."""
        if text == self.text(item):
            return False
        self._refusals.pop(item.key, None)
        if _is_same(text, item):
            self._texts.pop(item.key, None)
        else:
            self._texts[item.key] = text
        return True

    def reset(self, item: Item) -> bool:
        """Put back the workflow's value, and return whether that changes what is shown."""
        refused = self._refusals.pop(item.key, None)
        return self._texts.pop(item.key, refused) is not None

    def refuse(self, key: FieldKey, message: str) -> None:
        """Keep the server's error about a value, until it is changed or sent again."""
        self._refusals[key] = message

    def clear_refusal(self, key: FieldKey) -> None:
        """Drop the error about a value."""
        self._refusals.pop(key, None)

    def clear_refusals(self) -> None:
        """Drop the server's errors."""
        self._refusals.clear()

    def show_upload(self, key: FieldKey, text: str) -> None:
        """Keep what is shown of an upload in the place of a value; an empty text for none."""
        if text:
            self._uploads[key] = text
        else:
            self._uploads.pop(key, None)

    def upload(self, item: Item) -> str:
        """Return what is shown of an upload in the place of a value, or an empty text."""
        return self._uploads.get(item.key, "")

    def error(self, item: Item) -> str:
        """Return what is wrong with a value, or an empty text."""
        if refusal := self._refusals.get(item.key):
            return refusal
        return self.fault(item) or self._missing_file(item)

    def _missing_file(self, item: Item) -> str:
        """Return that the server did not list a file of the workflow; it may have it all the same."""
        name, spec = text_of(item.value), item.spec
        if spec.kind != "file" or not spec.upload or spec.options is None or item.key in self._texts:
            return ""
        # Only the input folder itself is listed: the name of a file in another one has that folder at its end.
        if not name or name in spec.options or name.endswith("]") or "/" in name:
            return ""
        name = sanitize(name, MAX_CHOICE)
        return f"'{name}' is not among the server's files: enter chooses one of them, or one of this machine to upload."

    def fault(self, item: Item) -> str:
        """Return what keeps a value from being sent, or an empty text.

        A value of the file is wrong only if the server surely lacks the choice, and is asked for it.
        """
        if self.upload(item):
            return "A file is still being uploaded: F5 when it is there."
        if item.key in self._texts:
            try:
                self._parse(item)
            except ValueError as error:
                return str(error)
            return ""
        is_off = item.switch is not None and self.text(item.switch) == "false"
        if is_off or not item.is_used:
            return ""
        return unknown_choice_error(sanitize(text_of(item.value), MAX_CHOICE), item.spec, item.label)

    def _parse(self, item: Item) -> tuple[FieldValue, ...]:
        """Return a value that differs, or several.

        Raises:
            ValueError: It is wrong.
        """
        return parse_axis(self._texts[item.key], item.spec, item.label)

    def values(self, items: Iterable[Item]) -> dict[FieldKey, FieldValue]:
        """Return the values that differ; of several for one input, the first.

        Raises:
            ValueError: One of them is wrong.
        """
        changed = (item for item in items if item.key in self._texts)
        return {item.key: self._parse(item)[0] for item in changed}

    def axes(self, items: Iterable[Item]) -> Axes:
        """Return the values of the inputs that have several; what is wrong has none."""
        found = {item.key: self.several(item) for item in items if item.key in self._texts}
        return {key: values for key, values in found.items() if values}

    def several(self, item: Item) -> tuple[FieldValue, ...]:
        """Return the values of an input that has several, else nothing."""
        try:
            values = self._parse(item) if item.key in self._texts else ()
        except ValueError:
            return ()
        return values if len(values) > 1 else ()


def _is_same(text: str, item: Item) -> bool:
    """Return whether a text stands for the workflow's value."""
    try:
        value, *more = parse_axis(text, item.spec, item.label)
    except ValueError:
        return False
    return not more and value == item.value and isinstance(value, bool) == isinstance(item.value, bool)


def stepped(text: str, spec: InputSpec, steps: int) -> str | None:
    """Return a number as text, some steps higher or lower and within its bounds; None if the text is no number."""
    try:
        value = parse_input(text, InputSpec(spec.kind))
    except ValueError:
        return None
    if not is_number(value):
        return None
    # In decimal, so that steps of 0.1 do not add up to 0.30000000000000004.
    step = Decimal(str(spec.step or (1 if spec.kind == "int" else 0.1)))
    new = Decimal(str(value)) + step * steps
    if spec.maximum is not None:
        new = min(new, Decimal(str(spec.maximum)))
    if spec.minimum is not None:
        new = max(new, Decimal(str(spec.minimum)))
    return str(int(new)) if spec.kind == "int" else str(float(new))

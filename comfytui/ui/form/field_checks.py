"""Checks of the prompt form's fields against what the server takes, shown as messages below them."""

from collections.abc import Callable, Iterator, Mapping

from textual.widget import Widget
from textual.widgets import Input, Select, TextArea

from comfytui.ui.form.field_controls import controls_of
from comfytui.ui.form.field_messages import FieldMessages
from comfytui.ui.form.rows import CHOICE_FIELDS, IMAGES_ID, is_shown
from comfytui.workflow.axes import Axes, comma_hint, parse_axis
from comfytui.workflow.batch_values import IMAGES_SPEC, repetition_warning, total_error
from comfytui.workflow.fields import Field, FieldKey, FieldValue, field_of
from comfytui.workflow.graph import Workflow, seed_labels
from comfytui.workflow.input_specs import InputSpec, fallback_spec, parse_input, step_hint, unknown_choice_error
from comfytui.workflow.seeds import SeedMode


class FieldChecks:
    """What each field of a form takes, and what is wrong with its content.

    Args:
        form: The widget with the controls, each of which has its field's key as id.
        workflow: The workflow whose inputs the form has.
        listed_axes: Returns the values of the inputs without a control that have several.
    """

    def __init__(self, form: Widget, workflow: Workflow, listed_axes: Callable[[], Axes] = dict) -> None:
        self.specs: dict[FieldKey, InputSpec] = {key: fallback_spec(key) for key in workflow.fields if is_shown(key)}
        """What each field takes: a fallback until the server's own spec is known."""
        self.seed_labels = seed_labels(workflow)
        """The label of the node that each seed belongs to."""
        self._form = form
        self._listed_axes = listed_axes
        self._messages = FieldMessages(form)
        self._refusals: dict[str, str] = {}

    def update_specs(self, specs: Mapping[FieldKey, InputSpec]) -> None:
        """Take the server's specs of the form's fields."""
        self.specs.update({key: spec for key, spec in specs.items() if key in self.specs})

    @property
    def choice_fields(self) -> set[Field]:
        """The fields that are drop-down lists."""
        return {field for field in CHOICE_FIELDS if field in self.specs}

    def check_all(self, seed_mode: SeedMode) -> bool:
        """Check every field, show a message at each that is wrong, and return whether none is."""
        numbers = [self.check_input(control, seed_mode) is not None for control in self._inputs()]
        choices = [self.check_choice(field) for field in self.choice_fields]
        return all(numbers) and all(choices)

    def check_choice(self, field: Field) -> bool:
        """Show what is wrong with a choice, and return whether it can be submitted.

        A choice that the server has refused can be submitted again.
        """
        choice, spec = str(self._form.query_one(f"#{field}", Select).value), self.specs[field]
        errors = (unknown_choice_error(each, spec, field.label) for each in self._choices(field, choice))
        self._messages.show(field, next(filter(None, errors), "") or self._refusals.get(field, ""))
        return not self.is_unknown(field, choice)

    def is_unknown(self, field: Field, choice: str) -> bool:
        """Return whether a choice, or one of several, is surely not on the server."""
        return any(self.specs[field].excludes(each) for each in self._choices(field, choice))

    def _choices(self, field: Field, choice: str) -> list[str]:
        return [str(each) for each in self._values(field, choice)] or [choice]

    def axes(self) -> dict[FieldKey, tuple[FieldValue, ...]]:
        """Return the values of the inputs that have several; what is wrong has none."""
        found: dict[FieldKey, tuple[FieldValue, ...]] = {}
        controls = {control.id: control for control in controls_of(self._form)}
        for key in self.specs:
            control = controls.get(key)
            if isinstance(control, Input | Select) and len(values := self._values(key, str(control.value))) > 1:
                found[key] = values
        return {**found, **self._listed_axes()}

    def _values(self, key: FieldKey, text: str) -> tuple[FieldValue, ...]:
        try:
            return parse_axis(text, self.specs[key])
        except ValueError:
            return ()

    def check_input(self, control: Input, seed_mode: SeedMode) -> FieldValue | None:
        """Show what is wrong with a number or worth knowing about it, and return it, or None if it is wrong.

        Of several numbers, the first is returned.
        """
        key = control.id or ""
        spec, label = (IMAGES_SPEC, "Images") if key == IMAGES_ID else (self.specs[key], self._label(key))
        try:
            several = key != IMAGES_ID
            values = parse_axis(control.value, spec, label) if several else (parse_input(control.value, spec, label),)
        except ValueError as error:
            self._messages.show(key, str(error))
            return None
        value = values[0]
        if refusal := self._refusals.get(key):
            self._messages.show(key, refusal)
        elif key == IMAGES_ID:
            axes = self.axes()
            if too_many := total_error(int(value), axes):
                self._messages.show(key, too_many)
                return None
            has_seed = bool(self.seed_labels) and not self.seed_labels.keys() & axes.keys()
            warning = repetition_warning(int(value), seed_mode, has_seed=has_seed)
            if warning and self._may_vary():
                warning = repetition_warning(int(value), seed_mode, has_seed=has_seed, varies=True)
            self._messages.show(key, warning, wrong=False)
        else:
            hints = (step_hint(each, spec, label) for each in values)
            self._messages.show(key, next(filter(None, hints), None) or comma_hint(control.value, spec), wrong=False)
        return value

    def _may_vary(self) -> bool:
        """Return whether a text may have variations."""
        # Imported late: the first paint does not need it.
        from comfytui.workflow.prompt_text.template import may_vary

        return any(may_vary(area.text) for area in controls_of(self._form) if isinstance(area, TextArea))

    def show_refusal(self, key: FieldKey, message: str) -> None:
        """Show the server's error at a field until the field is edited or the form submitted again."""
        label = self._label(key)
        if self._messages.shares_row(key) and not message.startswith(label):
            message = f"{label}: {message}"
        self._refusals[key] = message
        self._messages.show(key, message)

    def clear_refusal(self, key: str) -> None:
        """Drop the server's error at a field; its message goes with the next check."""
        self._refusals.pop(key, None)

    def clear_refusals(self) -> None:
        """Drop the server's errors at all fields, with their messages; the next check shows what else is wrong."""
        for key in self._refusals:
            self._messages.show(key, "")
        self._refusals.clear()

    def show_advice(self, key: FieldKey, message: str) -> None:
        """Show a message at a field that is not wrong."""
        self._messages.show(key, message, wrong=False)

    def clear_message(self, key: str) -> None:
        """Remove the message at a field."""
        self._messages.show(key, "")

    def _label(self, key: FieldKey) -> str:
        """Return a field's name in messages; a seed, where there are several, is named with its node."""
        label = field_of(key).label
        several = len(self.seed_labels) > 1 and key in self.seed_labels
        return f"{label} of {self.seed_labels[key]}" if several else label

    def _inputs(self) -> Iterator[Input]:
        return (control for control in controls_of(self._form) if isinstance(control, Input))

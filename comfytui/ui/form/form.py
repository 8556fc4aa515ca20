"""The prompt form: one row for each input that the workflow has, marked while it is wrong, never emptied."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Button, Input, Select, TextArea

from comfytui.sanitize import sanitize
from comfytui.ui.form import rows
from comfytui.ui.form.controls import GenerateButton
from comfytui.ui.form.field_messages import FieldMarks
from comfytui.ui.form.rows import CHOICES
from comfytui.ui.form.values import IMAGES, WAITING, FormValues, absence, missing_choices, omission, repetition
from comfytui.ui.widgets.line import Line
from comfytui.workflow.fields import Field, Key, Value, field_of
from comfytui.workflow.graph import Workflow, read_values, seed_labels
from comfytui.workflow.input_specs import InputSpec, check, fallback, hint, seeds_of
from comfytui.workflow.seeds import SeedMode

MAX_NAME = 60
"""Characters of the workflow's name in the title; what is wider than the form is cut there."""


class PromptForm(VerticalScroll, can_focus=False):
    """The inputs of one workflow; `specs` of the server sharpen the checks and fill the choices when they are known."""

    BINDING_GROUP_TITLE = "Prompt form"

    @dataclass
    class Submitted(Message):
        """The form was sent off with everything in order, but for choices that the server has not given."""

        asked: FormValues
        without: Sequence[Field] = ()

    class ChoicesMissing(Message):
        """The form is to be sent off, but waits for choices of the server."""

    class Edited(Message):
        """Its content changed."""

    def __init__(self, workflow: Workflow, draft: Mapping[str, str], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.workflow = workflow
        self._draft = draft
        self._specs: dict[Key, InputSpec] = {key: fallback(key) for key in workflow.fields}
        self._seed_labels = seed_labels(workflow)
        self._refusals: dict[str, str] = {}
        self._waits = False
        self._marks = FieldMarks(self)
        self.border_title = Text(f"Prompt · {sanitize(workflow.name, MAX_NAME)}")

    def on_mount(self) -> None:
        """Draw the edges of fields where the terminal may show no background of theirs."""
        few_colours = self.app.console.color_system in {None, "standard"}
        self.set_class(few_colours or getattr(self.app, "ascii", False), "-edged")

    def compose(self) -> ComposeResult:
        """One row an input; what the graph does not have is absent."""
        draft = self._draft
        # A seed that was rolled is nobody's wish; the workflow's own is what made its picture.
        rolled = self._seed_labels.keys() if draft.get(rows.SEED_MODE) == SeedMode.RANDOM else set()
        values = {
            key: value if key in rolled else draft.get(key, value) for key, value in read_values(self.workflow).items()
        }
        seeds = {key: values[key] for key in self._seed_labels}
        for field in rows.TEXTS:
            if field in values:
                yield Line(field.label, classes="text-label")
                yield rows.text_area(field, str(values[field]))
        for label, fields in rows.ROWS:
            present = [field for field in fields if field in values]
            if present:
                yield rows.row(label, present, values)
        if seeds:
            yield from rows.seed_rows(seeds, draft.get(rows.SEED_MODE, ""), self._seed_labels)
        yield rows.images_row(draft.get(rows.IMAGES, "4" if seeds else "1"))
        yield GenerateButton("Generate  F5", id="generate", variant="primary", compact=True)

    def learn(self, specs: Mapping[Key, InputSpec]) -> None:
        """Take the server's own ranges and choices; a chosen name that it does not offer stays and is marked."""
        self._specs.update({field: spec for field, spec in specs.items() if field in self._specs})
        for field in CHOICES & self._specs.keys():
            self._offer(field, self._specs[field])
        self.check_all()

    def _offer(self, field: Field, spec: InputSpec) -> None:
        if not spec.options:
            return
        select = self.query_one(f"#{field}", Select)
        chosen = str(select.value)
        if spec.lacks(chosen) and chosen == self._draft.get(field):
            chosen = str(read_values(self.workflow)[field])  # The other one was chosen on another server.
        missing = [chosen] if chosen and chosen not in spec.options else []
        with self.prevent(Select.Changed):
            select.set_options(rows.options([*spec.options, *missing]))
            select.value = chosen or spec.options[0]

    def refuse(self, key: Key, sentence: str) -> None:
        """Show what the server says against a field, until the user changes it or sends the form off again."""
        label = self._label(key)
        if self._marks.shares_row(key) and not sentence.startswith(label):
            sentence = f"{label}: {sentence}"
        self._refusals[key] = sentence
        self._marks.show(key, sentence)

    def check_all(self) -> bool:
        """Mark every wrong field; whether all is in order."""
        numbers = [self._check(control) is not None for control in self._inputs()]
        choices = [self._check_choice(field) for field in CHOICES & self._specs.keys()]
        return all(numbers) and all(choices)

    def read(self) -> FormValues | None:
        """The form's content, or None where a number is wrong."""
        if not self.check_all():
            return None
        values: dict[Key, Value] = {}
        for key in self._specs:
            control = self.query_one(f"#{key}")
            match control:
                case TextArea():
                    values[key] = control.text
                case Select():
                    values[key] = str(control.value)
                case Input():
                    values[key] = check(control.value, self._specs[key])
        images = check(self.query_one(f"#{rows.IMAGES}", Input).value, IMAGES)
        return FormValues(
            values, self._seed_mode, int(images), {key: seeds_of(self._specs[key]) for key in self._seed_labels}
        )

    def texts(self) -> dict[str, str]:
        """What each control holds, right or wrong."""
        areas = {area.id or "": area.text for area in self.query(TextArea)}
        return areas | {control.id or "": str(control.value) for control in (*self._inputs(), *self.query(Select))}

    @property
    def _seed_mode(self) -> SeedMode:
        """How seeds go on; fixed where there are none."""
        modes = self.query(f"#{rows.SEED_MODE}").results(Select)
        return next((SeedMode(str(select.value)) for select in modes), SeedMode.FIXED)

    def show_seeds(self, mode: SeedMode, seeds: Sequence[Mapping[Key, int]]) -> None:
        """Show the seeds that an order began with, or, where seeds count on, those that the next begins with."""
        for key, first in seeds[0].items():
            seed = seeds_of(self._specs[key]).next(seeds[-1][key]) if mode is SeedMode.INCREMENT else first
            with self.prevent(Input.Changed):
                self.query_one(f"#{key}", Input).value = str(seed)

    def focus_to_write(self) -> None:
        """Put the cursor at what is wrong, else where writing begins."""
        (self.query(".-wrong") or self.query("TextArea, Input")).first().focus()

    @property
    def waits(self) -> bool:
        """Whether it was sent off, and goes as soon as the server's choices are there or are given up."""
        return self._waits

    def submit(self, *, give_up: bool = False) -> bool:
        """Send the form off if all is in order, as soon as the server's choices are there.

        Args:
            give_up: Whether to go without choices that the server has not given.

        Returns:
            Whether nothing is wrong in it.
        """
        self._refusals.clear()
        asked = self.read()
        missing = missing_choices(asked.values, self._specs) if asked else ()
        self._waits = bool(missing) and not give_up
        if self._waits:
            for field in missing:
                self._marks.show(field, WAITING, wrong=False)
            self.post_message(self.ChoicesMissing())
        elif asked is not None:
            self.post_message(self.Submitted(asked, missing))
        return asked is not None

    @on(Button.Pressed, "#generate")
    def _pressed(self) -> None:
        self.submit()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Edited())
        self._refusals.pop(event.input.id or "", None)
        self._check(event.input)
        if event.input.id in self._seed_labels and event.input.has_focus:
            mode = self.query_one(f"#{rows.SEED_MODE}", Select)
            if mode.value == SeedMode.RANDOM.value:
                # Whoever types a seed wants that seed.
                mode.value = SeedMode.FIXED.value

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    @on(Select.Changed)
    def _chose(self, event: Select.Changed) -> None:
        event.stop()
        self.post_message(self.Edited())
        self._refusals.pop(event.select.id or "", None)
        if event.select.id in self._specs:
            self._check_choice(Field(event.select.id))
        elif event.select.id == rows.SEED_MODE:
            self._check(self.query_one(f"#{rows.IMAGES}", Input))

    @on(TextArea.Changed)
    def _wrote(self, event: TextArea.Changed) -> None:
        event.stop()
        self.post_message(self.Edited())
        self._marks.show(event.text_area.id or "", "")

    def _label(self, key: Key) -> str:
        """What sentences call a field: a seed, where there are several, by its node."""
        label = field_of(key).label
        return (
            f"{label} of {self._seed_labels[key]}" if len(self._seed_labels) > 1 and key in self._seed_labels else label
        )

    def _inputs(self) -> Iterator[Input]:
        return iter(self.query(Input).results(Input))

    def _check_choice(self, field: Field) -> bool:
        """Mark a choice that the server does not offer, or refused; whether it may be sent."""
        chosen, spec = str(self.query_one(f"#{field}", Select).value), self._specs[field]
        wrong = absence(chosen, spec, field.label) or self._refusals.get(field, "")
        self._marks.show(field, wrong or omission(spec), wrong=bool(wrong))
        return not spec.lacks(chosen)

    def _check(self, control: Input) -> Value | None:
        field = control.id or ""
        spec, label = (IMAGES, "Images") if field == rows.IMAGES else (self._specs[field], self._label(field))
        try:
            value = check(control.value, spec, label)
        except ValueError as error:
            self._marks.show(field, str(error))
            return None
        if refusal := self._refusals.get(field):
            self._marks.show(field, refusal)
        elif field == rows.IMAGES:
            same = repetition(int(value), self._seed_mode, has_seed=bool(self._seed_labels))
            self._marks.show(field, same, wrong=False)
        else:
            self._marks.show(field, hint(value, spec, label) or "", wrong=False)
        return value

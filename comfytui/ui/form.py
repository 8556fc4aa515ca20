"""The prompt form: one row for each input that the workflow has, marked while it is wrong, never emptied."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input, Select, TextArea

from comfytui.plain import plain
from comfytui.ui.line import Line
from comfytui.workflow.fields import Field, Value
from comfytui.workflow.graph import Workflow
from comfytui.workflow.seeds import MAX_SEED, SeedMode
from comfytui.workflow.specs import FALLBACK, Spec, check, hint
from comfytui.workflow.values import current

MOST_IMAGES = 1_000
IMAGES = Spec(kind="int", minimum=1, maximum=MOST_IMAGES)
ROWS: tuple[tuple[str, tuple[Field, ...]], ...] = (
    ("Model", (Field.MODEL,)),
    ("Size", (Field.WIDTH, Field.HEIGHT)),
    ("Steps", (Field.STEPS,)),
    ("CFG", (Field.CFG,)),
    ("Guidance", (Field.GUIDANCE,)),
    ("Sampler", (Field.SAMPLER,)),
    ("Scheduler", (Field.SCHEDULER,)),
)
TEXTS = (Field.PROMPT, Field.NEGATIVE)
CHOICES = frozenset({Field.MODEL, Field.SAMPLER, Field.SCHEDULER})


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form asks for: a value for each field, how seeds go on, and how many images."""

    values: Mapping[Field, Value]
    seed_mode: SeedMode
    images: int


class PromptForm(VerticalScroll, can_focus=False):
    """The inputs of one workflow; `specs` of the server sharpen the checks and fill the choices when they are known."""

    BINDING_GROUP_TITLE = "Prompt form"

    @dataclass
    class Submitted(Message):
        """The form was sent off with everything in order."""

        asked: Asked

    def __init__(self, workflow: Workflow, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.workflow = workflow
        self._specs: dict[Field, Spec] = {field: FALLBACK[field] for field in workflow.fields}
        self._refusals: dict[str, str] = {}
        self._marks: dict[str, Line] = {}
        self.border_title = "Prompt"

    def compose(self) -> ComposeResult:
        """One row an input; what the graph does not have is absent."""
        values = current(self.workflow)
        yield Line(plain(self.workflow.name, 60), id="workflow-name")
        for field in TEXTS:
            if field in values:
                yield Line(field.label, classes="text-label")
                yield _text_area(field, str(values[field]))
        for label, fields in ROWS:
            present = [field for field in fields if field in values]
            if present:
                yield from _row(label, present, values)
        if Field.SEED in values:
            yield from _seed_row(values[Field.SEED])
        images = _input("images", 4 if Field.SEED in values else 1)
        yield Horizontal(Line("Images", classes="label"), images, classes="row")
        yield Button("Generate  F5", id="generate", variant="primary", compact=True)

    def learn(self, specs: Mapping[Field, Spec]) -> None:
        """Take the server's own ranges and choices; a chosen name that it does not offer stays and is marked."""
        self._specs.update({field: spec for field, spec in specs.items() if field in self._specs})
        for field in CHOICES & self._specs.keys():
            if options := self._specs[field].options:
                self._offer(field, options)
        self.check_all()

    def _offer(self, field: Field, options: Sequence[str]) -> None:
        select = self.query_one(f"#{field}", Select)
        chosen = str(select.value)
        missing = bool(chosen) and chosen not in options
        with self.prevent(Select.Changed):
            select.set_options(_options([*options, chosen] if missing else options))
            select.value = chosen or options[0]
        absence = f"{field.label} '{chosen}' is not on the server: choose one that is." if missing else ""
        self.mark(field, self._refusals.get(field) or absence)

    def mark(self, field: Field | str, sentence: str, *, wrong: bool = True) -> None:
        """Show one sentence at a field, or take the mark away with an empty one; not `wrong` is only advice."""
        control, line = self.query_one(f"#{field}"), self._marks.get(field)
        if line is None and not sentence:
            return
        if line is None:
            line = self._marks[field] = Line(classes="error")
            self.mount(line, after=control.parent if isinstance(control.parent, Horizontal) else control)
        line.say(sentence and f"{'! ' if wrong else ''}{plain(sentence, 300)}")
        line.set_class(bool(sentence), "-shown")
        line.set_class(not wrong, "-advice")
        control.set_class(bool(sentence) and wrong, "-wrong")

    def refuse(self, field: Field, sentence: str) -> None:
        """Show what the server says against a field, until the user changes it or sends the form off again."""
        self._refusals[field] = sentence
        self.mark(field, sentence)

    def check_all(self) -> bool:
        """Mark every wrong field; whether all is in order."""
        wrong = [control for control in self._inputs() if self._check(control) is None]
        return not wrong

    def read(self) -> Asked | None:
        """The form's content, or None where a number is wrong."""
        if not self.check_all():
            return None
        values: dict[Field, Value] = {}
        for field in self._specs:
            control = self.query_one(f"#{field}")
            match control:
                case TextArea():
                    values[field] = control.text
                case Select():
                    values[field] = str(control.value)
                case Input():
                    values[field] = check(control.value, self._specs[field])
        mode = self.query_one("#seed-mode", Select).value if Field.SEED in self._specs else SeedMode.FIXED
        images = check(self.query_one("#images", Input).value, IMAGES)
        return Asked(values, SeedMode(str(mode)), int(images))

    def show_seeds(self, mode: SeedMode, seeds: Sequence[int]) -> None:
        """Show the seed that an order began with, or, where seeds count on, the one that the next begins with."""
        seed = (seeds[-1] + 1) % (MAX_SEED + 1) if mode is SeedMode.INCREMENT else seeds[0]
        with self.prevent(Input.Changed):
            self.query_one(f"#{Field.SEED}", Input).value = str(seed)

    def focus_to_write(self) -> None:
        """Put the cursor at what is wrong, else where writing begins."""
        (self.query(".-wrong") or self.query("TextArea, Input")).first().focus()

    def submit(self) -> bool:
        """Send the form off if all is in order; whether it was."""
        self._refusals.clear()
        asked = self.read()
        if asked is not None:
            self.post_message(self.Submitted(asked))
        return asked is not None

    @on(Button.Pressed, "#generate")
    def _pressed(self) -> None:
        self.submit()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._refusals.pop(event.input.id or "", None)
        self._check(event.input)
        if event.input.id == Field.SEED and event.input.has_focus:
            mode = self.query_one("#seed-mode", Select)
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
        self._refusals.pop(event.select.id or "", None)
        if event.select.id in self._specs:
            self.mark(event.select.id, "")

    @on(TextArea.Changed)
    def _wrote(self, event: TextArea.Changed) -> None:
        event.stop()
        self.mark(event.text_area.id or "", "")

    def _inputs(self) -> Iterator[Input]:
        return iter(self.query(Input).results(Input))

    def _check(self, control: Input) -> Value | None:
        field = control.id or ""
        spec, label = (IMAGES, "Images") if field == "images" else (self._specs[Field(field)], Field(field).label)
        try:
            value = check(control.value, spec, label)
        except ValueError as error:
            self.mark(field, str(error))
            return None
        if refusal := self._refusals.get(field):
            self.mark(field, refusal)
        else:
            self.mark(field, hint(value, spec, label) or "", wrong=False)
        return value


def _text_area(field: Field, text: str) -> TextArea:
    area = TextArea(text, id=field, compact=True, soft_wrap=True, tab_behavior="focus", show_line_numbers=False)
    area.cursor_blink = False
    return area


def _input(name: str, value: Value) -> Input:
    control = Input(str(value), id=name, compact=True, select_on_focus=True)
    control.cursor_blink = False
    return control


def _options(names: Sequence[str]) -> list[tuple[Text, str]]:
    return [(Text(plain(name, 200).removesuffix(".safetensors")), name) for name in names]


def _row(label: str, fields: Sequence[Field], values: Mapping[Field, Value]) -> ComposeResult:
    controls: list[Widget] = []
    for field in fields:
        if field in CHOICES:
            name = str(values[field])
            controls.append(Select(_options([name]), id=field, value=name, allow_blank=False, compact=True))
        else:
            controls.append(_input(field, values[field]))
    if fields == [Field.WIDTH, Field.HEIGHT]:
        controls.insert(1, Line("x", classes="times"))
    yield Horizontal(Line(label, classes="label"), *controls, classes="row")


def _seed_row(seed: Value) -> ComposeResult:
    modes = Select(
        [(Text(mode.value), mode.value) for mode in SeedMode],
        id="seed-mode",
        value=SeedMode.RANDOM.value,
        allow_blank=False,
        compact=True,
    )
    yield Horizontal(Line("Seed", classes="label"), modes, classes="row")
    yield Horizontal(Line(classes="label"), _input(Field.SEED, seed), classes="row")

"""The rows of the prompt form: a label and its controls."""

from collections.abc import Iterator, Mapping, Sequence

from rich.text import Text
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, TextArea

from comfytui.sanitize import sanitize
from comfytui.ui.form.controls import Choice
from comfytui.ui.widgets.text import Line
from comfytui.workflow.fields import Field, Key, Value
from comfytui.workflow.seeds import SeedMode

SEED_MODE, IMAGES = "seed-mode", "images"
"""The controls that stand for no field of the graph."""
MAX_OPTION = 120
"""Characters of a name that a drop-down shows."""
CHOICES = frozenset({Field.MODEL, Field.SAMPLER, Field.SCHEDULER})
"""Fields whose values the server offers."""
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


def text_area(field: Field, text: str) -> TextArea:
    """A field for words."""
    area = TextArea(text, id=field, compact=True, soft_wrap=True, tab_behavior="focus", show_line_numbers=False)
    area.cursor_blink = False
    return area


def number(name: str, value: Value) -> Input:
    """A field for a number."""
    control = Input(str(value), id=name, compact=True, select_on_focus=True)
    control.cursor_blink = False
    return control


def options(names: Sequence[str]) -> list[tuple[Text, str]]:
    """Names as a drop-down has them: what is shown, and what is meant."""
    return [(Text(sanitize(name, MAX_OPTION).removesuffix(".safetensors")), name) for name in names]


def row(label: str, fields: Sequence[Field], values: Mapping[Key, Value]) -> Horizontal:
    """A label with one or two controls."""
    controls: list[Widget] = []
    for field in fields:
        if field in CHOICES:
            name = str(values[field])
            controls.append(Choice(options([name]), id=field, value=name, allow_blank=False, compact=True))
        else:
            controls.append(number(field, values[field]))
    if fields == [Field.WIDTH, Field.HEIGHT]:
        controls.insert(1, Line("x", classes="times"))
    return Horizontal(Line(label, classes="label"), *controls, classes="row")


def seed_rows(seeds: Mapping[Key, Value], mode: str, labels: Mapping[Key, str]) -> Iterator[Horizontal]:
    """How seeds go on (anew each time, if `mode` names no way), and each seed, labelled where there are several."""
    modes = Choice(
        [(Text(mode.value), mode.value) for mode in SeedMode],
        id=SEED_MODE,
        value=mode if mode in set(SeedMode) else SeedMode.RANDOM.value,
        allow_blank=False,
        compact=True,
    )
    yield Horizontal(Line("Seed" if len(seeds) == 1 else "Seeds", classes="label"), modes, classes="row")
    for key, seed in seeds.items():
        several = len(seeds) > 1
        label = Line(labels[key] if several else "", classes="label -node" if several else "label")
        yield Horizontal(label, number(key, seed), classes="row")


def images_row(images: str) -> Horizontal:
    """How many images."""
    return Horizontal(Line("Images", classes="label"), number(IMAGES, images), classes="row")

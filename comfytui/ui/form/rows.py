"""The rows of the prompt form: a label and its controls."""

from collections.abc import Iterator, Mapping, Sequence

from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from comfytui.ui.form.controls import Choice
from comfytui.ui.widgets.text import Line, NameLine
from comfytui.workflow.field_keys import is_node_key
from comfytui.workflow.fields import Field, FieldKey, FieldValue, field_of
from comfytui.workflow.seeds import SeedMode

SEED_MODE_ID, IMAGES_ID = "seed-mode", "images"
"""Ids of the controls that are no fields of the graph."""
CHOICE_FIELDS = frozenset({Field.MODEL, Field.SAMPLER, Field.SCHEDULER})
"""Fields that are drop-down lists of the server's choices."""
ROWS: tuple[tuple[str, tuple[Field, ...]], ...] = (
    ("Model", (Field.MODEL,)),
    ("Size", (Field.WIDTH, Field.HEIGHT)),
    ("Steps", (Field.STEPS,)),
    ("CFG", (Field.CFG,)),
    ("Guidance", (Field.GUIDANCE,)),
    ("Sampler", (Field.SAMPLER,)),
    ("Scheduler", (Field.SCHEDULER,)),
)
TEXT_FIELDS = (Field.PROMPT, Field.NEGATIVE)
_SHOWN_FIELDS = frozenset({*TEXT_FIELDS, *(field for _, fields in ROWS for field in fields)})


def is_shown(key: FieldKey) -> bool:
    """Return whether a field has a row."""
    return not is_node_key(key) and (key in _SHOWN_FIELDS or field_of(key) is Field.SEED)


def number_input(name: str, value: FieldValue) -> Input:
    """Return a control for a number."""
    control = Input(str(value), id=name, compact=True, select_on_focus=True)
    control.cursor_blink = False
    return control


def field_row(label: str, fields: Sequence[Field], values: Mapping[FieldKey, FieldValue]) -> Horizontal:
    """Return a row with a label and one or two controls."""
    controls: list[Widget] = []
    for field in fields:
        if field in CHOICE_FIELDS:
            name = str(values[field])
            controls.append(Choice(field.label, [name], name, id=field))
        else:
            controls.append(number_input(field, values[field]))
    if fields == [Field.WIDTH, Field.HEIGHT]:
        controls.insert(1, Line("x", classes="times"))
    return Horizontal(Line(label, classes="label"), *controls, classes="row")


def seed_rows(seeds: Mapping[FieldKey, FieldValue], mode: str, labels: Mapping[FieldKey, str]) -> Iterator[Horizontal]:
    """Return the row of the seed mode and a row for each seed.

    Args:
        seeds: The seeds by their keys.
        mode: The value of a seed mode; any other text stands for random.
        labels: The labels of the seeds, which are shown where there are several.
    """
    chosen = mode if mode in set(SeedMode) else SeedMode.RANDOM.value
    modes = Choice("Seed", [each.value for each in SeedMode], chosen, id=SEED_MODE_ID)
    yield Horizontal(Line("Seed" if len(seeds) == 1 else "Seeds", classes="label"), modes, classes="row")
    for key, seed in seeds.items():
        several = len(seeds) > 1
        label = NameLine(labels[key], classes="label -node") if several else Line("", classes="label")
        yield Horizontal(label, number_input(key, seed), classes="row")


def images_row(images: str) -> Horizontal:
    """Return the row of the number of images."""
    return Horizontal(Line("Images", classes="label"), number_input(IMAGES_ID, images), classes="row")

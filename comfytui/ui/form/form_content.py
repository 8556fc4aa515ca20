"""What the controls of the prompt form hold: the values of a batch, the texts of a draft, and the seeds."""

from collections.abc import Mapping, Sequence
from random import SystemRandom
from typing import TYPE_CHECKING

from textual.widgets import Input, Select, TextArea

from comfytui.ui.form import rows
from comfytui.ui.form.field_checks import FieldChecks
from comfytui.ui.form.field_controls import Control, controls_of
from comfytui.ui.form.prompt_area import PromptArea
from comfytui.workflow.axes import parse_axis
from comfytui.workflow.batch_values import IMAGES_SPEC, BatchValues
from comfytui.workflow.fields import Field, FieldKey, FieldValue
from comfytui.workflow.graph import read_values
from comfytui.workflow.input_specs import parse_input, seed_range
from comfytui.workflow.seeds import SeedMode, seeds_for

if TYPE_CHECKING:
    from comfytui.ui.form.form import PromptForm


class FormContent:
    """Reads the controls of a form, and shows the seeds that were drawn.

    Args:
        form: The form.
        checks: What its fields accept.
    """

    def __init__(self, form: "PromptForm", checks: FieldChecks) -> None:
        self._form = form
        self._checks = checks

    @property
    def seed_mode(self) -> SeedMode:
        """The mode that is selected; fixed if there are no seeds."""
        modes = (each for each in controls_of(self._form) if isinstance(each, Select) and each.id == rows.SEED_MODE_ID)
        return next((SeedMode(str(select.value)) for select in modes), SeedMode.FIXED)

    def read(self) -> BatchValues | None:
        """Check the form and return its content, or None if something is wrong."""
        # Imported late: the first paint does not need it.
        from comfytui.workflow.prompt_text.template_keys import text_keys

        listed = self._form.inputs.read()
        if not self._checks.check_all(self.seed_mode) or listed is None:
            return None
        specs = self._checks.specs
        own = read_values(self._form.workflow)
        # Texts are expanded for each image, also those that were not edited.
        values: dict[FieldKey, FieldValue] = {key: own[key] for key in text_keys(own)} | listed
        axes = self._checks.axes()
        for key in specs:
            control = self._form.query_one(f"#{key}")
            match control:
                case _ if key in axes:
                    values[key] = axes[key][0]
                case TextArea():
                    values[key] = control.text
                case Select():
                    values[key] = str(control.value)
                case Input():
                    values[key] = parse_axis(control.value, specs[key])[0]
        images = parse_input(self._form.query_one(f"#{rows.IMAGES_ID}", Input).value, IMAGES_SPEC)
        seed_ranges = {key: seed_range(specs[key]) for key in self._checks.seed_labels}
        return BatchValues(values, self.seed_mode, int(images), seed_ranges, axes, self._form.inputs.definitions)

    def texts(self) -> dict[str, str]:
        """Return the text of each control, right or wrong, by the control's id."""
        return self._form.inputs.texts() | {control.id or "": _text_of(control) for control in controls_of(self._form)}

    def show_seeds(self, mode: SeedMode, seeds: Sequence[Mapping[FieldKey, int]]) -> None:
        """Show the seeds of a batch's first image, or in increment mode those that the next batch begins with.

        Args:
            mode: The seed mode of the batch.
            seeds: The seeds of each image by their keys.
        """
        for key, first in seeds[0].items():
            seed = seed_range(self._checks.specs[key]).advance(seeds[-1][key]) if mode is SeedMode.INCREMENT else first
            with self._form.prevent(Input.Changed):
                self._form.query_one(f"#{key}", Input).value = str(seed)

    def next_seeds(self, count: int) -> list[int]:
        """Return seeds that the next images may have: those of the first seed, in steps of one unless it is random."""
        seeds = self._form.query(f"#{Field.SEED}").results(Input)
        text = next((control.value for control in seeds), "")
        base = int(text) if text.isdecimal() and len(text) < 20 else 0
        mode = SeedMode.RANDOM if self.seed_mode is SeedMode.RANDOM else SeedMode.INCREMENT
        return [*seeds_for(mode, base, count, SystemRandom())]


def _text_of(control: Control) -> str:
    match control:
        case PromptArea():
            return control.newest_text
        case TextArea():
            return control.text
        case _:
            return str(control.value)

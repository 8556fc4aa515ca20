"""The prompt form: one row for each input of the workflow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Select, TextArea

from comfytui.ui.form import rows
from comfytui.ui.form.changes import Changes
from comfytui.ui.form.controls import Choice, GenerateButton
from comfytui.ui.form.field_checks import FieldChecks
from comfytui.ui.form.field_controls import FIELDS_ID
from comfytui.ui.form.finding_note import FindingNote
from comfytui.ui.form.form_content import FormContent
from comfytui.ui.form.input_panel import InputPanel
from comfytui.ui.form.prompt_area import PromptArea
from comfytui.ui.form.values import WAITING_FOR_CHOICES, fields_awaiting_choices
from comfytui.ui.form.waiting_note import WaitingNote
from comfytui.ui.form.workflow_inputs import WorkflowInputs
from comfytui.ui.widgets.text import Line, Paragraph
from comfytui.workflow.axes import Axes, product_text
from comfytui.workflow.batch_values import BatchValues
from comfytui.workflow.fields import Field, FieldKey
from comfytui.workflow.graph import Workflow, read_values
from comfytui.workflow.input_specs import InputSpec
from comfytui.workflow.prompt_text.encoders import reads_weights
from comfytui.workflow.seeds import SeedMode


class PromptForm(Vertical):
    """A control for each input of a workflow. Wrong content is marked and stays as it was typed.

    Args:
        workflow: The workflow, with the values of a form that was not edited.
        draft: The texts of the controls that differ from the workflow's values.
        is_stored: Whether the draft was read from the disk: a choice that the server does not have was then made on
            another server, and is replaced by the workflow's own.
    """

    BINDING_GROUP_TITLE = "Prompt form"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+r", "put_back", "Put back", show=False, id="form.put-back")]

    @dataclass
    class Submitted(Message):
        """The form was submitted and nothing in it is wrong."""

        form: "PromptForm"
        form_values: BatchValues
        missing_choices: Sequence[Field] = ()
        """The empty drop-down lists that were submitted without the server's choices."""

    class ChoicesMissing(Message):
        """The form was submitted and waits for the server's choices."""

    class Edited(Message):
        """The form's content changed."""

    def __init__(self, workflow: Workflow, draft: Mapping[str, str], *, is_stored: bool = False) -> None:
        super().__init__()
        self.workflow = workflow
        self._draft = draft
        self._is_stored = is_stored
        self._checks = FieldChecks(self, workflow, self._listed_axes)
        self._changes = Changes(self, workflow, self._checks)
        self._content = FormContent(self, self._checks)
        self._awaits_choices = False

    def on_mount(self) -> None:
        """Draw edges of the fields where the terminal may not show their background."""
        few_colours = self.app.console.color_system in {None, "standard"}
        self.set_class(few_colours or getattr(self.app, "ascii", False), "-edged")
        self._changes.mark(self._seed_mode)

    def compose(self) -> ComposeResult:
        """Compose a row for each input that the graph has, or only the note if there is no graph yet."""
        inputs, help_line = WorkflowInputs(self.workflow), Paragraph(id="input-help", classes="help")
        panel = InputPanel(inputs, inputs.values_of(self._draft), help_line)
        help_line.display = False
        if not self.workflow.graph:
            panel.display = panel.inputs.display = False
            yield WaitingNote(id="note")
            yield panel
            return
        with VerticalScroll(id=FIELDS_ID, can_focus=False):
            yield from self._rows()
            yield panel
        with Vertical(id="submission"):
            yield help_line
            yield FindingNote(id="note")
            yield GenerateButton("Generate  F5", id="generate", variant="primary", compact=True)

    def _rows(self) -> ComposeResult:
        """Yield the controls of the fields that have one."""
        draft, seed_labels = self._draft, self._checks.seed_labels
        # A random seed was not typed by the user: the workflow's own is more useful, since it made its image.
        rolled = seed_labels.keys() if draft.get(rows.SEED_MODE_ID) == SeedMode.RANDOM else set()
        values = {
            key: value if key in rolled else draft.get(key, value) for key, value in read_values(self.workflow).items()
        }
        seeds = {key: values[key] for key in seed_labels}
        for field in rows.TEXT_FIELDS:
            if field in values:
                yield Line(field.label, classes="text-label")
                weights = reads_weights(self.workflow.graph, self.workflow.fields[field][0])
                yield PromptArea(str(values[field]), reads_weights=weights, id=field)
        for label, fields in rows.ROWS:
            present = [field for field in fields if field in values]
            if present:
                yield rows.field_row(label, present, values)
        if seeds:
            yield from rows.seed_rows(seeds, draft.get(rows.SEED_MODE_ID, ""), seed_labels)
        yield rows.images_row(draft.get(rows.IMAGES_ID, "4" if seeds else "1"))

    def _listed_axes(self) -> Axes:
        return self.inputs.axes()

    @property
    def inputs(self) -> InputPanel:
        """The list of the inputs that have no control of their own."""
        return self.query_one(InputPanel)

    def update_specs(self, specs: Mapping[FieldKey, InputSpec]) -> None:
        """Take the server's ranges and choices. A choice that the server does not have stays and is marked."""
        self._checks.update_specs(specs)
        self.inputs.update(specs)
        for field in self._checks.choice_fields:
            self._set_options(field, self._checks.specs[field])
        self._checks.check_all(self._seed_mode)
        self._show_total()
        self._changes.mark(self._seed_mode)

    def _set_options(self, field: Field, spec: InputSpec) -> None:
        if not spec.options:
            return
        select = self.query_one(f"#{field}", Choice)
        choice = str(select.value)
        if self._is_stored and choice == self._draft.get(field) and self._checks.is_unknown(field, choice):
            choice = str(read_values(self.workflow)[field])
        with self.prevent(Select.Changed):
            select.set_names(spec.options, choice or spec.options[0])

    def show_refusal(self, key: FieldKey, message: str) -> None:
        """Show the server's error at a field until the field is edited or the form submitted again."""
        if not self.inputs.show_refusal(key, message):
            self._checks.show_refusal(key, message)

    def read(self) -> BatchValues | None:
        """Check the form and return its content, or None if something is wrong."""
        return self._content.read()

    def texts(self) -> dict[str, str]:
        """Return the text of each control, right or wrong, by the control's id."""
        return self._content.texts()

    def next_seeds(self, count: int) -> list[int]:
        """Return seeds that the next images may have, see `FormContent.next_seeds`."""
        return self._content.next_seeds(count)

    def show_seeds(self, mode: SeedMode, seeds: Sequence[Mapping[FieldKey, int]]) -> None:
        """Show the seeds of a batch, see `FormContent.show_seeds`."""
        self._content.show_seeds(mode, seeds)
        self._changes.mark(self._seed_mode)

    @property
    def _seed_mode(self) -> SeedMode:
        return self._content.seed_mode

    def show_top(self) -> None:
        """Scroll to the first field, with its label."""
        for fields in self.query(f"#{FIELDS_ID}"):
            fields.scroll_home(animate=False)

    def focus_first(self) -> None:
        """Focus the first field that is wrong, or else the first one, at once."""
        self.screen.set_focus(self.first_to_focus)

    @property
    def first_to_focus(self) -> Widget:
        """The first control that is wrong, or else the first one."""
        return next(iter(self.query(".-wrong")), self.first_control)

    @property
    def first_control(self) -> Widget:
        """The control that has the focus at first."""
        return self.query("TextArea, .row Input, WaitingNote, InputList").first()

    def show_note(self, note: str, key: FieldKey = "") -> None:
        """Show a note about the whole form, or remove it with an empty one.

        Args:
            note: The text.
            key: The value that it is about, to which enter leads from it.
        """
        paragraph = self.query_one("#note", Paragraph)
        paragraph.set_text(note)
        paragraph.set_class(bool(note), "-shown")
        if isinstance(paragraph, FindingNote):
            paragraph.lead_to(key)

    @on(FindingNote.Chosen)
    def _go_to(self, event: FindingNote.Chosen) -> None:
        event.stop()
        if event.key in self._checks.specs:
            self.query_one(f"#{event.key}").focus()
        else:
            # Called by the panel itself: a message that it posts on behalf of its parent would not bubble on.
            self.inputs.call_next(self.inputs.go_to, event.key)

    def prompt_in_use(self) -> PromptArea | None:
        """Return the prompt that has the focus, or else the first one; None if there is none."""
        areas = list(self.query(PromptArea))
        return next((area for area in areas if area.has_focus), areas[0] if areas else None)

    @property
    def awaits_choices(self) -> bool:
        """Whether it was submitted and waits for the server's choices."""
        return self._awaits_choices

    def submit(self, *, without_choices: bool = False) -> bool:
        """Submit the form if nothing in it is wrong, as soon as the server's choices are known.

        Args:
            without_choices: Whether to submit it even if the server's choices are not known.

        Returns:
            Whether nothing in it is wrong.
        """
        self._checks.clear_refusals()
        self.inputs.values.clear_refusals()
        form_values = self.read()
        missing = fields_awaiting_choices(form_values.values, self._checks.specs) if form_values else ()
        self._awaits_choices = bool(missing) and not without_choices
        if self._awaits_choices:
            for field in missing:
                self._checks.show_advice(field, WAITING_FOR_CHOICES)
            self.post_message(self.ChoicesMissing())
        elif form_values is not None:
            self.post_message(self.Submitted(self, form_values, missing))
        return form_values is not None

    def _show_total(self) -> None:
        """Show on the button how many images the fields ask for, where that is a product."""
        if not self.workflow.graph:
            return
        images, axes = self.query_one(f"#{rows.IMAGES_ID}", Input), self._checks.axes()
        # The total is checked with the number of images.
        self._checks.check_input(images, self._seed_mode)
        count = int(images.value) if images.value.isdecimal() and len(images.value) < 5 else 1
        label = f"Generate {product_text(count, axes)}  F5" if axes else "Generate  F5"
        button = self.query_one("#generate", GenerateButton)
        if str(button.label) != label:
            button.label = label

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to put a value back where it differs, so that the key does something else elsewhere."""
        return action != "put_back" or self._changes.differs(self.screen.focused)

    def action_put_back(self) -> None:
        """Put the value of the control with the focus back to the file's."""
        self._changes.put_back(self.screen.focused)

    def _follow_edit(self) -> None:
        self._changes.mark(self._seed_mode)
        self.post_message(self.Edited())

    @on(InputPanel.FieldWanted)
    def _go_to_field(self, event: InputPanel.FieldWanted) -> None:
        event.stop()
        control = self.query_one(f"#{event.key}")
        # At once: a filter with the focus would give it to the list when it is hidden.
        self.screen.set_focus(control, scroll_visible=False)
        self.inputs.close_filter()
        self.call_after_refresh(control.scroll_visible, animate=False)

    @on(InputPanel.Edited)
    def _on_input_edited(self, event: InputPanel.Edited) -> None:
        event.stop()
        self._show_total()
        self.post_message(self.Edited())

    @on(Input.Changed)
    def _check_edited_input(self, event: Input.Changed) -> None:
        event.stop()
        self._follow_edit()
        self._checks.clear_refusal(event.input.id or "")
        self._checks.check_input(event.input, self._seed_mode)
        self._show_total()
        if event.input.id in self._checks.seed_labels and event.input.has_focus:
            mode = self.query_one(f"#{rows.SEED_MODE_ID}", Select)
            if mode.value == SeedMode.RANDOM.value:
                # A seed that is typed is to be used.
                mode.value = SeedMode.FIXED.value

    @on(Input.Submitted)
    def _focus_next(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.focus_next()

    @on(Select.Changed)
    def _check_changed_choice(self, event: Select.Changed) -> None:
        event.stop()
        self._follow_edit()
        self._checks.clear_refusal(event.select.id or "")
        if event.select.id in self._checks.specs:
            self._checks.check_choice(Field(event.select.id))
            self._show_total()
        elif event.select.id == rows.SEED_MODE_ID:
            self._checks.check_input(self.query_one(f"#{rows.IMAGES_ID}", Input), self._seed_mode)

    @on(TextArea.Changed)
    def _clear_message(self, event: TextArea.Changed) -> None:
        event.stop()
        self._follow_edit()
        self._checks.clear_message(event.text_area.id or "")
        if self._seed_mode is SeedMode.FIXED:  # Whether the images will be the same may depend on the text.
            self._show_total()

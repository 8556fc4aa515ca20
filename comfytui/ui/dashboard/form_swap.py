"""Put another prompt form in the place of the present one, without a frame in between and without losing a key."""

from dataclasses import dataclass

from textual.widgets import Input, TextArea
from textual.widgets.input import Selection as InputSelection
from textual.widgets.text_area import Selection

from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.drafts import FormTexts
from comfytui.ui.form.form import PromptForm
from comfytui.ui.form.input_controls import InputFilter


@dataclass(frozen=True, slots=True)
class FormCursor:
    """Where the user writes in a form."""

    control_id: str
    text: str
    selection: Selection | InputSelection | None


def cursor_in(form: PromptForm) -> FormCursor | None:
    """Return where the user writes in a form, None if the focus is elsewhere."""
    focused = form.screen.focused
    if focused is None or form not in focused.ancestors:
        return None
    control_id = next((each.id for each in focused.ancestors_with_self if each.id), "")
    match focused:
        case TextArea():
            return FormCursor(control_id, focused.text, focused.selection)
        case Input():
            return FormCursor(control_id, focused.value, focused.selection)
    return FormCursor(control_id, "", None)


async def swap_form(context: DashboardContext, new: PromptForm, *, same_workflow: bool) -> None:
    """Replace the form; the focus stays in the field of the same name, and the cursor if the text is the same.

    It is to run between two keys (`KeyQueue.run_between_keys`).

    Args:
        context: What the dashboard shares.
        new: The form to show.
        same_workflow: Whether it is of the same workflow: its list of inputs then stays as it is, filtered and open.
    """
    old = context.form
    with context.screen.app.batch_update():
        await context.screen.query_one("#body").mount(new, after=old)
        context.form = new
        if same_workflow:
            new.inputs.continue_from(old.inputs)
        cursor = cursor_in(old)
        if cursor is not None:
            _place(new, cursor)
        await old.remove()
    focused = context.screen.focused
    if focused is new.first_control:
        # A focused control is scrolled into view without the label above it.
        new.call_after_refresh(new.show_top)
    elif focused is not None and new in focused.ancestors and not isinstance(focused, InputFilter):
        new.call_after_refresh(focused.scroll_visible, animate=False)


def show_exactly(form: PromptForm, texts: FormTexts) -> None:
    """Show texts as they were, also of seeds, for which a new form shows the workflow's own where they are random."""
    for control in form.query(Input).results(Input):
        if (text := texts.get(control.id or "")) is not None and text != control.value:
            with form.prevent(Input.Changed):
                control.value = text


def _place(form: PromptForm, cursor: FormCursor) -> None:
    named = (each for each in form.query("*") if each.id == cursor.control_id and each.can_focus)
    # A hidden control takes the focus, too, and with it all keys.
    control = next((each for each in named if all(part.display for part in each.ancestors_with_self)), None)
    # What is scrolled into view is decided once all of the form is laid out.
    form.screen.set_focus(control or form.first_to_focus, scroll_visible=False)
    match control, cursor.selection:
        case TextArea(text=cursor.text), Selection() as selection:
            control.selection = selection
        case Input(value=cursor.text), InputSelection() as selection:
            # The focus, which selects the whole text, arrives at the control after this.
            control.call_later(setattr, control, "selection", selection)

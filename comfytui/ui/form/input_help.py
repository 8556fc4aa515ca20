"""What the help line says about an input: what is wrong, else what it is and what it accepts."""

from comfytui.sanitize import sanitize
from comfytui.ui.form.input_rows import Item
from comfytui.ui.form.input_values import InputValues
from comfytui.workflow.input_specs import InputSpec, text_of

MAX_FILE_VALUE = 60
"""Characters of the value in the file that are shown."""
MAX_VALUE = 160
"""Characters of a value that is cut in the list."""
UPLOADS = "enter chooses a file or uploads one; the path of a file can be pasted"


def help_text(item: Item, values: InputValues, *, whole: bool = False) -> str:
    """Return the help on an input; the error comes first, then the value in the file if it differs.

    Args:
        item: The input.
        values: The values of all inputs.
        whole: Whether to begin with its name and value, which are cut in the list.
    """
    if upload := values.upload(item):
        return f"{upload}. ctrl+r cancels it."
    if error := values.error(item):
        return f"! {error}"
    parts = [f"{item.label}: {sanitize(values.text(item), MAX_VALUE)}" if whole else ""]
    parts += [f"Was {_file_value(item)} (ctrl+r)" if values.is_changed(item) else ""]
    parts += [f"{len(several)} values: an image of each" if (several := values.several(item)) else ""]
    parts += [_meaning(item, named=whole), _accepted(item.spec)]
    parts += [UPLOADS if item.spec.upload else ""]
    return " ".join(f"{part}." for part in parts if part)


def _meaning(item: Item, *, named: bool) -> str:
    """Return what an input is; its name, too, where it stands in the list without one."""
    tooltip = _sentence(item.spec.tooltip)
    name = "" if named else item.label
    if item.key.startswith("lora_") and tooltip and name:
        return f"{name}: {tooltip}"
    return tooltip or name


def _file_value(item: Item) -> str:
    if item.spec.kind == "bool":
        return "on" if item.value else "off"
    return sanitize(text_of(item.value), MAX_FILE_VALUE) or "empty"


def _sentence(text: str) -> str:
    return text.strip().removesuffix(".")


def _accepted(spec: InputSpec) -> str:
    """Return the range and the step of a number, or how many choices there are."""
    match spec.kind:
        case "int" | "float":
            low, high = _number(spec.minimum), _number(spec.maximum)
            bounds = (
                f"{low} to {high}" if low and high else f"At least {low}" if low else f"At most {high}" if high else ""
            )
            step = f"step {_number(spec.step)}" if spec.step else ""
            return ", ".join(part for part in (bounds, step) if part)
        case "choice" | "file":
            return f"{len(spec.options):,} to choose from" if spec.options else ""
        case _:
            return ""


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if value == int(value) else str(value)

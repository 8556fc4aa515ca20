"""The dialog with the prompts that were used: the chosen one replaces the text in the form's prompt."""

import asyncio
from functools import partial
from typing import Final

from textual.widgets import TextArea

from comfytui.presentation.formatting import SETTINGS_SEPARATOR
from comfytui.service.journal.prompt_history import UsedPrompt
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.dashboard.pages import PageSwitcher
from comfytui.ui.screens.picker import PickerScreen
from comfytui.ui.widgets.entry_search import Entry, EntryGroup
from comfytui.ui.widgets.filter_list import FilterList
from comfytui.ui.widgets.fuzzy_search import FuzzySearch
from comfytui.workflow.field_keys import Field, field_of, is_node_key

TITLE: Final = "Prompts that were used"
EMPTY: Final = "No prompt was used yet."
NEGATIVE_TITLE: Final = "Negative prompts that were used"
NEGATIVE_EMPTY: Final = "No negative prompt was used yet."


class PromptHistory:
    """Lists the prompts that were used, and puts the chosen one into the form."""

    def __init__(self, context: DashboardContext, pages: PageSwitcher) -> None:
        self._context = context
        self._pages = pages

    async def choose(self) -> None:
        """Ask for a prompt and write it into the one that is written, or the first one; only in a worker."""
        used = self._context.form.prompt_in_use()
        if used is None or used.id is None:
            self._context.notify("This workflow has no prompt to fill in.", "warning")
            return
        key = used.id
        negative = not is_node_key(key) and field_of(key) is Field.NEGATIVE
        reading = EntryGroup[UsedPrompt](note="Reading the prompts…", loading=True)
        title, empty = (NEGATIVE_TITLE, NEGATIVE_EMPTY) if negative else (TITLE, EMPTY)
        load = partial(self._load, negative=negative)
        dialog = PickerScreen(title, [reading], load=load, describe=_about, empty=empty, search=FuzzySearch)
        entry = await self._context.ask(dialog)
        prompts = self._context.form.query(f"#{key}").results(TextArea)
        if entry is None or (area := next(iter(prompts), None)) is None:
            return
        self._pages.show_form()
        area.replace(entry.value.text, area.document.start, area.document.end)  # An edit, which ctrl+z takes back.
        area.focus()

    async def _load(self, shown: FilterList, *, negative: bool) -> None:
        used = await asyncio.wrap_future(self._context.service.used_prompts(negative=negative))
        if shown.is_complete:
            shown.set_group(EntryGroup(entries=[Entry(_title(each), each, _detail(each)) for each in used]))


def _title(used: UsedPrompt) -> str:
    return " ".join(used.text.split())


def _detail(used: UsedPrompt) -> str:
    """Return how often, how well and with which seed it was used; what does not fit is left out from the end."""
    return SETTINGS_SEPARATOR.join(filter(None, (f"{used.images}x", used.best.value, _seed(used))))


def _seed(used: UsedPrompt) -> str:
    return "" if used.last_seed is None else f"seed {used.last_seed}"


async def _about(entry: Entry[UsedPrompt]) -> str:
    return SETTINGS_SEPARATOR.join(filter(None, (_seed(entry.value), entry.value.text)))

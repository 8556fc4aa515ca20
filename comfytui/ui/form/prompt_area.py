"""The text area of a prompt: weights, completion, the user's own editor, and the whole screen.

What these need is imported late: the first paint does not need it.
"""

import os
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.document._document import Document
from textual.events import Blur, Key
from textual.geometry import Region
from textual.strip import Strip
from textual.widgets import TextArea
from textual.worker import Worker

if TYPE_CHECKING:
    from comfytui.ui.form.completion_list import CompletionList
    from comfytui.ui.form.prompt_sources import PromptSources
    from comfytui.workflow.prompt_text.completion import Kind, Query

NO_WEIGHTS = "This prompt's encoder reads no weights."
_TAKING_KEYS = frozenset({"tab"})


class PromptArea(TextArea):
    """A text area with the tools of a prompt.

    Args:
        text: The text.
        reads_weights: Whether the encoder of the text reads weights.
        sources: What completions come from; None for those of the screen.
        id: The widget's id.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+up,alt+up", "weigh(1)", "Weight +", show=False, id="raise-weight"),
        Binding("ctrl+down,alt+down", "weigh(-1)", "Weight -", show=False, id="lower-weight"),
        Binding("ctrl+e", "edit_externally", "Editor", show=False, id="edit-this-prompt"),
        Binding("alt+z", "enlarge", "Whole screen", show=False, id="enlarge-this-prompt"),
    ]

    def __init__(
        self,
        text: str,
        *,
        reads_weights: bool,
        sources: "PromptSources | None" = None,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(text, id=id, compact=True, soft_wrap=True, tab_behavior="focus", show_line_numbers=False)
        self.cursor_blink = False
        self.reads_weights = reads_weights
        self.enlarged: PromptArea | None = None
        """The prompt that shows the text on the whole screen, while one does."""
        self._own_sources = sources
        self._is_typing = False
        self._is_dismissed = False
        """Whether the user closed the list since the last edit."""

    @property
    def sources(self) -> "PromptSources | None":
        """What completions come from."""
        if self._own_sources is None:
            self._own_sources = getattr(self.screen, "prompt_sources", None)
        return self._own_sources

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines; blank ones once it is removed: what is painted before the next layout finds no styles."""
        if self.parent is None:
            return [Strip.blank(crop.width)] * crop.height
        return super().render_lines(crop)

    # Weights

    def action_weigh(self, direction: int) -> None:
        """Change the weight of the selection, or of what the cursor is in, by one step."""
        if not self.reads_weights:
            self.notify(NO_WEIGHTS, markup=False)
            return
        from comfytui.workflow.prompt_text.weights import WEIGHT_STEP, change_weight

        document = self.document
        assert isinstance(document, Document)
        ends = sorted(document.get_index_from_location(end) for end in (self.selection.start, self.selection.end))
        edit = change_weight(self.text, ends[0], ends[1], direction * WEIGHT_STEP)
        if edit is None:
            return
        start, end = (document.get_location_from_index(index) for index in (edit.start, edit.end))
        result = self.replace(edit.replacement, start, end, maintain_selection_offset=False)
        self.selection = type(self.selection)(start, result.end_location)

    # Completion

    async def _on_key(self, event: Key) -> None:
        completions = self._open_list()
        if completions and event.key in {"up", "down", "escape", *_TAKING_KEYS}:
            event.stop()
            event.prevent_default()
            self._act_on_list(completions, event.key)
            return
        self._is_typing = event.is_printable or event.key == "backspace"
        if completions and not self._is_typing:
            self.close_completions()
        await super()._on_key(event)

    def _act_on_list(self, completions: "CompletionList", key: str) -> None:
        match key:
            case "up" | "down":
                completions.move(1 if key == "down" else -1)
                self._show_words()
            case "escape":
                self._is_dismissed = True
                self.close_completions()
            case _:
                self._take(completions)

    def _take(self, completions: "CompletionList") -> None:
        row, column = self.selection.end
        query, entry = self._query(), completions.chosen
        self.close_completions()
        self._is_dismissed = True
        if query and entry:
            self._is_typing = False
            self.replace(entry.insert, (row, query.start), (row, column), maintain_selection_offset=False)
            self.move_cursor((row, query.start + len(entry.insert)))

    @on(TextArea.Changed)
    def _follow_text(self) -> None:
        if self._is_typing and self.has_focus:
            self._is_typing = self._is_dismissed = False
            self.call_after_refresh(self.complete)

    def _query(self) -> "Query | None":
        """Return what is typed at the cursor that could be completed."""
        from comfytui.workflow.prompt_text.completion import query_at

        row, column = self.cursor_location
        return query_at(self.document.get_line(row)[:column])

    def complete(self) -> None:
        """Show what could be completed at the cursor, as soon as it is read."""
        query = self._query() if self.selection.is_empty else None
        sources = self.sources
        if query is None or sources is None:
            self.close_completions()
            return
        entries = sources.find(query)
        if sources.is_due(query.kind):
            _: Worker[None] = self.run_worker(
                partial(self._load, sources, query.kind), group=f"names-{query.kind.name}"
            )
        if entries or self._open_list():
            self._list().show(entries or [], self.cursor_screen_offset)
            self._show_words()

    async def _load(self, sources: "PromptSources", kind: "Kind") -> None:
        if await sources.load(kind) and self.has_focus and not self._is_dismissed:
            self.complete()

    def _show_words(self) -> None:
        """Show the trigger words of a highlighted LoRA, once they are read."""
        from comfytui.workflow.prompt_text.completion import Kind

        sources, completions = self.sources, self._open_list()
        entry = completions.chosen if completions else None
        query = self._query()
        if not (sources and completions and entry and query and query.kind is Kind.LORA):
            return
        words = sources.trigger_words(entry.name)
        if words is None:
            work = partial(self._load_words, sources, entry.name)
            _: Worker[None] = self.run_worker(work, group="trigger-words", exclusive=True)
        else:
            completions.show_detail(entry.name, words)

    async def _load_words(self, sources: "PromptSources", name: str) -> None:
        await sources.load_trigger_words(name)
        if (completions := self._open_list()) and (words := sources.trigger_words(name)):
            completions.show_detail(name, words)

    def _open_list(self) -> "CompletionList | None":
        try:
            found = cast("CompletionList", self.screen.query_one("CompletionList"))
        except NoMatches:
            return None
        return found if found.is_open else None

    def _list(self) -> "CompletionList":
        """Return the screen's list, which is mounted when it is first needed."""
        from comfytui.ui.form.completion_list import CompletionList

        for found in self.screen.query(CompletionList):
            return found
        new = CompletionList()
        self.screen.mount(new)
        return new

    def close_completions(self) -> None:
        """Close the list of completions."""
        if completions := self._open_list():
            completions.show([], self.cursor_screen_offset)

    def _on_blur(self, event: Blur) -> None:
        super()._on_blur(event)
        self.close_completions()

    # Editors

    def action_edit_externally(self) -> None:
        """Edit the text in the user's own editor; if that fails, it stays as it is."""
        # Imported late: the first paint does not need it.
        from comfytui.ui.external_editor import EditorError, edit_text, editor_command

        edited, problem = self.text, ""
        try:
            command = editor_command(os.environ)
            with self.app.suspend():
                # An error that left the block would leave the program suspended.
                try:
                    edited = edit_text(self.text, command)
                except EditorError as error:
                    problem = str(error)
        except EditorError as error:
            problem = str(error)
        except SuspendNotSupported:
            problem = "This terminal cannot be left to an editor."
        if problem:
            self.notify(problem, severity="warning", markup=False)
        else:
            self.take_text(edited)

    def take_text(self, text: str) -> None:
        """Replace the text, which can be undone; the same text changes nothing."""
        if text != self.text:
            self.replace(text, (0, 0), self.document.end, maintain_selection_offset=False)

    def action_enlarge(self) -> None:
        """Show the prompt on the whole screen."""
        from comfytui.ui.screens.enlarged_prompt import EnlargedPromptScreen

        if not isinstance(self.screen, EnlargedPromptScreen):
            self.app.push_screen(EnlargedPromptScreen(self), self._take_enlarged)

    @property
    def newest_text(self) -> str:
        """What is typed by now, here or on the whole screen."""
        return self.text if self.enlarged is None else self.enlarged.text

    def _take_enlarged(self, text: str | None) -> None:
        self.enlarged = None
        if text is not None:
            self.take_text(text)

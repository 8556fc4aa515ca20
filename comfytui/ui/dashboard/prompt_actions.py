"""Actions on the prompt in use: show what its variations become, edit it elsewhere, give it the whole screen.

What these need is imported late: the first paint does not need it.
"""

from functools import cached_property, partial
from typing import TYPE_CHECKING

from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.form.prompt_area import PromptArea

if TYPE_CHECKING:
    from comfytui.ui.form.prompt_sources import PromptSources
    from comfytui.workflow.prompt_text.wildcards import Wildcards

EXPANSIONS = 10
"""Texts that are shown of one prompt."""
NO_PROMPT = "This workflow has no prompt."


class PromptActions:
    """What the keys of a prompt do wherever the focus is."""

    def __init__(self, context: DashboardContext) -> None:
        self._context = context

    @cached_property
    def sources(self) -> "PromptSources":
        """What completions come from."""
        from comfytui.ui.form.prompt_sources import PromptSources

        return PromptSources(self._context.service, self._context.options.prompt_files)

    def _prompt(self) -> PromptArea | None:
        prompt = self._context.form.prompt_in_use()
        if prompt is None:
            self._context.notify(NO_PROMPT, "warning")
        return prompt

    def enlarge(self) -> None:
        """Give the prompt the whole screen."""
        if prompt := self._prompt():
            prompt.action_enlarge()

    def edit_externally(self) -> None:
        """Edit the prompt in the user's own editor."""
        if prompt := self._prompt():
            prompt.action_edit_externally()

    def show_expansions(self) -> None:
        """Show what the variations of the prompt become."""
        if prompt := self._prompt():
            self._context.run(partial(self._show_expansions, prompt), "expansions")

    async def _show_expansions(self, prompt: PromptArea) -> None:
        from comfytui.ui.screens.expansions import ExpansionsScreen
        from comfytui.workflow.prompt_text.variations import VariationError, expand, varies

        template, key = prompt.text, prompt.id or ""
        wildcards = await self.sources.wildcards()
        note = _note(template, wildcards)
        if not varies(template, wildcards):
            self._context.notify(note or "This prompt has no variations: write {a|b} or __name__ of a wildcard.")
            return
        seeds = self._context.form.next_seeds(EXPANSIONS)
        try:
            texts = [(seed, expand(template, f"{seed}/{key}", wildcards)) for seed in seeds]
        except VariationError as error:
            self._context.notify(str(error), "warning")
            return
        self._context.screen.app.push_screen(ExpansionsScreen(f"{len(texts)} of this prompt's texts", texts, note))


def _note(template: str, wildcards: "Wildcards") -> str:
    """Return which names are no wildcards, or an empty text."""
    from comfytui.workflow.prompt_text.template import unknown_wildcards

    names = unknown_wildcards(template, wildcards.__contains__)
    listed = ", ".join(f"__{name}__" for name in names[:5])
    return f"No wildcard has this name, so it stays text: {listed}." if names else ""

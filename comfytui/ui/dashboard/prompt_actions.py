"""Actions on prompts: show what variations become and what is sent, edit one elsewhere, give it the whole screen.

What these need is imported late: the first paint does not need it.
"""

import asyncio
from dataclasses import replace
from functools import cached_property, partial
from random import SystemRandom
from typing import TYPE_CHECKING

from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.form.prompt_area import PromptArea
from comfytui.workflow.finding_inputs import valid_findings

if TYPE_CHECKING:
    from comfytui.ui.form.prompt_sources import PromptSources
    from comfytui.workflow.batch_values import BatchValues
    from comfytui.workflow.field_keys import FieldKey
    from comfytui.workflow.graph import Graph, Workflow
    from comfytui.workflow.prompt_text.lora_tags import LoraTag
    from comfytui.workflow.prompt_text.rendering import PromptTools
    from comfytui.workflow.prompt_text.wildcards import Wildcards

EXPANSIONS = 10
"""Texts that are shown of one prompt."""
NO_PROMPT = "This workflow has no prompt."
WRONG_FORM = "Something in the form is wrong or not known yet: this is the workflow as it was."
NO_VARIATIONS = "This prompt has no variations: write {a|b} or __name__ of a wildcard."


class PromptActions:
    """What the keys of a prompt do wherever the focus is."""

    def __init__(self, context: DashboardContext) -> None:
        self._context = context

    @cached_property
    def sources(self) -> "PromptSources":
        """What completions come from."""
        from comfytui.ui.form.prompt_sources import PromptSources

        options = self._context.options
        return PromptSources(self._context.service, options.prompt_files, options.timings.form.completions)

    def forget_server(self) -> None:
        """Have the names of the server read again, if any were."""
        if "sources" in vars(self):
            self.sources.forget_server()

    def _prompt(self) -> PromptArea | None:
        prompt = self._context.form.prompt_in_use()
        if prompt is None:
            self._context.notify(NO_PROMPT, "warning")
        return prompt

    def enlarge(self) -> None:
        """Give the prompt the whole screen."""
        inputs = self._context.form.inputs
        if item := inputs.text_in_use:
            inputs.open_text(item)
        elif prompt := self._prompt():
            prompt.action_enlarge()

    def weigh(self, direction: int) -> None:
        """Change the weight at the cursor of the prompt by one step."""
        if prompt := self._prompt():
            prompt.action_weigh(direction)

    def edit_externally(self) -> None:
        """Edit the prompt in the user's own editor."""
        inputs = self._context.form.inputs
        if item := inputs.text_in_use:
            opened = inputs.open_text(item)
            opened.call_after_refresh(opened.edit_externally)
        elif prompt := self._prompt():
            prompt.action_edit_externally()

    def show_expansions(self) -> None:
        """Show what the variations of the prompt become."""
        inputs = self._context.form.inputs
        if item := inputs.text_in_use:
            self.show_expansions_of(item.key, inputs.values.text(item))
        elif prompt := self._prompt():
            self.show_expansions_of(prompt.id or "", prompt.text)

    def show_expansions_of(self, key: "FieldKey", template: str) -> None:
        """Show what the variations of a prompt become."""
        self._context.run(partial(self._show_expansions, key, template), "expansions")

    async def _show_expansions(self, key: "FieldKey", template: str) -> None:
        from comfytui.ui.screens.expansions import ExpansionsScreen
        from comfytui.workflow.prompt_text.lora_tags import has_lora_tags
        from comfytui.workflow.prompt_text.rendering import PromptTextError
        from comfytui.workflow.prompt_text.template_keys import template_keys
        from comfytui.workflow.prompt_text.variations import varies

        form, wildcards = self._context.form, await self.sources.wildcards()
        note = _note(template, wildcards)
        several = varies(template, wildcards)
        if not template_keys(form.workflow, {key: template}) or (not several and not has_lora_tags(template)):
            self._context.notify(note or NO_VARIATIONS)
            return
        tools = await self._context.prompt_tools(form.workflow, {key: template})
        seeds = form.next_seeds(EXPANSIONS if several else 1)
        try:
            texts = [(seed, _sent_text(form.workflow, key, template, seed, tools)) for seed in seeds]
        except PromptTextError as error:
            self._context.notify(error.message, "warning")
            return
        heading = f"{len(texts)} of this prompt's texts" if several else "This prompt as it is sent"
        self._context.screen.app.push_screen(ExpansionsScreen(heading, texts, note))

    def show_prompt(self) -> None:
        """Show what is sent for the first image of the next batch; of a form with a mistake, the workflow as it was."""
        from comfytui.ui.screens.sent_prompt import SentPromptScreen

        form, folder = self._context.form, self._context.options.output
        workflow, values = form.workflow, form.read() if form.workflow.graph else None
        if values:
            workflow = replace(workflow, findings=valid_findings(workflow, form.texts()))
        self._context.screen.app.push_screen(
            SentPromptScreen(workflow, partial(self._first_graph, workflow, values), folder)
        )

    async def _first_graph(self, workflow: "Workflow", values: "BatchValues | None") -> "tuple[Graph, str]":
        """Return the graph of the first image, and what is to be said about it."""
        if values is None:
            return workflow.graph, WRONG_FORM
        from comfytui.service.submission.batch_builder import first_graph
        from comfytui.workflow.graph import apply_values
        from comfytui.workflow.prompt_text.rendering import PromptTextError

        tools = await self._context.prompt_tools(workflow, values.values)
        try:
            graph = await asyncio.to_thread(first_graph, workflow, values, SystemRandom(), tools)
        except PromptTextError as error:
            return apply_values(workflow, values.values, values.object_info), f"It cannot be sent. {error.message}"
        return graph, _sent_note(values, graph)


def _sent_note(values: "BatchValues", graph: "Graph") -> str:
    """Return what a graph is, and what of it will be another when the batch is sent."""
    from comfytui.workflow.annotations import templates_of
    from comfytui.workflow.axes import count_cells, product_text
    from comfytui.workflow.fields import seed_keys
    from comfytui.workflow.seeds import SeedMode

    seeds = [*seed_keys(values.values)]
    is_random = values.seed_mode is SeedMode.RANDOM or not seeds
    others = ["its random seed" if len(seeds) == 1 else "its random seeds"] if is_random and seeds else []
    others += ["what its variations become"] if is_random and templates_of(graph) else []
    is_single = values.images * count_cells(values.axes) == 1
    image = "the image" if is_single else f"the first of {product_text(values.images, values.axes)} images"
    return f"This is what is sent for {image}{', except ' if others else ''}{' and '.join(others)}."


def _sent_text(workflow: "Workflow", key: "FieldKey", template: str, seed: int, tools: "PromptTools") -> str:
    """Return a text as it is sent, with a line for each LoRA that it loads."""
    from comfytui.workflow.prompt_text.rendering import render_text

    text, loras = render_text(workflow, key, template, seed, tools)
    return "\n".join((text, *(_lora_line(lora) for lora in loras)))


def _lora_line(lora: "LoraTag") -> str:
    clip = f", CLIP x {lora.clip_strength:g}" if lora.clip_strength != lora.model_strength else ""
    return f"LoRA {lora.name} x {lora.model_strength:g}{clip}"


def _note(template: str, wildcards: "Wildcards") -> str:
    """Return which names are no wildcards, or an empty text."""
    from comfytui.workflow.prompt_text.template import unknown_wildcards

    names = unknown_wildcards(template, wildcards.__contains__)
    listed = ", ".join(f"__{name}__" for name in names[:5])
    return f"No wildcard has this name, so it stays text: {listed}." if names else ""

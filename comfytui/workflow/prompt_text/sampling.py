"""Choose the options of a template at random, with the samplers of dynamicprompts.

Its parser is not used: it refuses text that is no template, such as an unclosed brace, and takes a part of an address
for a comment.
"""

from functools import lru_cache
from random import Random
from typing import Final

from dynamicprompts.commands import (
    Command,
    LiteralCommand,
    SequenceCommand,
    VariantCommand,
    VariantOption,
    WildcardCommand,
)
from dynamicprompts.enums import SamplingMethod
from dynamicprompts.samplers.random import RandomSampler
from dynamicprompts.sampling_context import SamplingContext
from dynamicprompts.types import ResultGen
from dynamicprompts.wildcards import WildcardManager

from comfytui.workflow.prompt_text.template import Choice, Parts, Wildcard, may_vary, parse_template
from comfytui.workflow.prompt_text.variations import MAX_EXPANDED, endless_wildcard
from comfytui.workflow.prompt_text.wildcards import Choices, Line, Wildcards

MAX_LOOKUPS: Final = 1_000
"""Wildcards that one text may use, those in lines of other wildcards included."""
MAX_NESTING: Final = 20
"""Wildcards in lines of other wildcards."""
MAX_SEVERAL: Final = 2_000
"""Lines of one wildcard of which several are chosen at once."""
COMPARED: Final = 10_000
"""Lines times choices that take as long as a lookup: each of several choices goes through all lines."""
_EMPTY: Final = LiteralCommand("")
_NOTHING: Final = Choices((Line(""),))


class Sampler(RandomSampler):
    """Chooses options and lines of wildcards.

    Args:
        wildcards: The user's wildcards.
    """

    def __init__(self, wildcards: Wildcards) -> None:
        self._wildcards = wildcards
        self._manager = WildcardManager()
        self._lookups = self._nesting = self._size = 0

    def sample(self, parts: Parts, seed: int | str) -> str:
        """Return a text of a template's parts; the same seed makes the same one.

        Raises:
            VariationError: Wildcards name each other without end.
        """
        self._lookups = self._nesting = self._size = 0
        context = SamplingContext(
            default_sampling_method=SamplingMethod.RANDOM,
            wildcard_manager=self._manager,
            samplers={SamplingMethod.RANDOM: self},
            rand=Random(seed),
        )
        return str(next(iter(context.generator_from_command(_command(parts)))))

    def _get_wildcard(self, command: WildcardCommand, context: SamplingContext) -> ResultGen:
        name = str(command.wildcard)
        lines, sums = self._look_up(name)
        while True:
            line = context.rand.choices(lines, cum_weights=sums)[0] if sums else context.rand.choice(lines)
            self._size += len(line.text)
            if self._nesting >= MAX_NESTING or self._size > MAX_EXPANDED:
                raise endless_wildcard(name)
            self._nesting += 1
            text = next(iter(context.generator_from_command(self._line_command(line))))
            self._nesting -= 1
            yield text

    def _get_variant(self, command: VariantCommand, context: SamplingContext) -> ResultGen:
        """Choose options; where a wildcard is the only one, choose among its lines."""
        only = command.values[0] if len(command.values) == 1 else None
        if isinstance(only, WildcardCommand):
            lines = self._look_up(str(only.wildcard)).lines
            if len(lines) > MAX_SEVERAL:
                lines = tuple(context.rand.sample(lines, MAX_SEVERAL))
            self._count(str(only.wildcard), len(lines) * command.max_bound // COMPARED)
            options = [VariantOption(self._line_command(line), line.weight) for line in lines]
            if len(options) == 1:
                return context.generator_from_command(options[0].value)
            command = VariantCommand(options, command.min_bound, command.max_bound, command.separator)
        return super()._get_variant(command, context)

    def _look_up(self, name: str) -> Choices:
        self._count(name, 1)
        choices = self._wildcards.choices(name)
        return choices if choices.lines else _NOTHING

    def _count(self, name: str, lookups: int) -> None:
        self._lookups += lookups
        if self._lookups > MAX_LOOKUPS:
            raise endless_wildcard(name)

    def _line_command(self, line: Line) -> Command:
        if not may_vary(line.text) and "\\" not in line.text:
            return LiteralCommand(line.text)
        return _command(_parse_line(line.text, self._wildcards))


@lru_cache(maxsize=4_096)
def _parse_line(text: str, wildcards: Wildcards) -> Parts:
    return parse_template(text, wildcards.__contains__)


def _command(parts: Parts) -> Command:
    """Return the command that samples a template's parts."""
    commands = [_command_of_part(part) for part in parts]
    # dynamicprompts takes commands without content for none at all.
    if not commands:
        return _EMPTY
    return commands[0] if len(commands) == 1 else SequenceCommand(commands)


def _command_of_part(part: str | Wildcard | Choice) -> Command:
    match part:
        case str():
            return LiteralCommand(part)
        case Wildcard():
            return WildcardCommand(part.name)
        case Choice():
            options = [VariantOption(_command(option.parts), option.weight) for option in part.options]
            return VariantCommand(options, part.least, part.most, part.separator)

"""Write events to standard output: as JSON, as lines of text, or as progress bars on a terminal."""

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol, TextIO

import msgspec

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.headless.commands.event_text import event_text
from comfytui.headless.documents.events import EndEvent, Event, ProgressEvent
from comfytui.headless.documents.jobs import Document

LINE_INTERVAL = 5.0
"""Least seconds between two lines about the steps of one image."""

_encode = msgspec.json.Encoder().encode


class Writer(Protocol):
    """Writes events to standard output, and words about them to standard error."""

    def write(self, events: Iterable[Event]) -> None:
        """Write events that came together.

        Raises:
            BrokenPipeError: Nobody reads standard output any more.
        """

    def note(self, text: str) -> None:
        """Write a line to standard error; it must be safe to print."""

    def close(self) -> None:
        """Leave the terminal as it was; what is written later opens it again."""


def open_writer(
    *, as_json: bool, plain: bool = False, label: Callable[[Event], str] = lambda _: "", interval: float = LINE_INTERVAL
) -> Writer:
    """Return the writer of a command.

    Args:
        as_json: Write one JSON object a line.
        plain: Write lines of text to a terminal too. They go to whatever is no terminal in any case, or a simple one.
        label: Returns what a line of text begins with, where events of several batches come: safe to print.
        interval: Least seconds between two lines about the steps of one image.
    """
    if as_json:
        return JsonLines()
    if plain or sys.stdout is None or not sys.stdout.isatty() or os.environ.get("TERM", "dumb") in {"dumb", "unknown"}:
        return PlainLines(label, interval)
    from comfytui.headless.commands.progress_bars import ProgressBars

    return ProgressBars(label)


def write_documents(documents: Iterable[Document]) -> None:
    """Write documents to standard output as JSON, one a line.

    Raises:
        BrokenPipeError: Nobody reads standard output any more.
    """
    write_bytes(b"".join(_encode(document) + b"\n" for document in documents))


def write_bytes(data: bytes) -> None:
    """Write bytes to standard output.

    Raises:
        BrokenPipeError: Nobody reads standard output any more.
    """
    if data and sys.stdout is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def write_lines(lines: Iterable[str], file: TextIO | None) -> None:
    """Write lines of text, with `?` for what the file's encoding does not have; nothing if the file is closed."""
    text = "".join(f"{line}\n" for line in lines)
    if text and file is not None:
        encoding = file.encoding or "utf-8"
        file.write(text.encode(encoding, "replace").decode(encoding))
        file.flush()


def write_last_line(text: str, *, as_json: bool) -> None:
    """Write a line after all events, where those who read them see it; nothing if it is empty."""
    if text and as_json:
        write_note(text)
    elif text:
        write_lines([text], sys.stdout)


def write_note(text: str) -> None:
    """Write a line to standard error, if anybody still reads that."""
    with suppress(OSError):
        write_lines([text], sys.stderr)


class JsonLines:
    """Writes one JSON object a line."""

    def write(self, events: Iterable[Event]) -> None:
        """Write events that came together."""
        write_documents(events)

    def note(self, text: str) -> None:
        """Write a line to standard error."""
        write_note(text)

    def close(self) -> None:
        """Do nothing: each line is written at once."""


class PlainLines:
    """Writes one line of text for each change, and few about the steps in between.

    Args:
        label: Returns what a line begins with.
        interval: Least seconds between two lines about the steps of one image.
        clock: The time source.
    """

    def __init__(
        self,
        label: Callable[[Event], str] = lambda _: "",
        interval: float = LINE_INTERVAL,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._label = label
        self._interval = interval
        self._clock = clock
        self._written: dict[str, tuple[object, float]] = {}  # what the last line was about, and when it was written

    def write(self, events: Iterable[Event]) -> None:
        """Write events that came together."""
        write_lines([self._label(event) + event_text(event) for event in events if self._is_due(event)], sys.stdout)

    def note(self, text: str) -> None:
        """Write a line to standard error."""
        write_note(text)

    def close(self) -> None:
        """Do nothing: each line is written at once."""

    def _is_due(self, event: Event) -> bool:
        subject = event.batch_id or event.prompt_id or ""
        if isinstance(event, EndEvent):
            self._written.pop(subject, None)
            return event.prompt_id is None  # The image of a single job says it all.
        if not isinstance(event, ProgressEvent):
            return True
        change = (event.prompt_id, event.status, event.phase, event.ahead, event.current_step is None)
        now = self._clock.monotonic()
        known, at = self._written.get(subject, (None, now))
        if known == change and now - at < self._interval:
            return False
        self._written[subject] = change, now
        return True

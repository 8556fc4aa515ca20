"""The message about a batch that another comfytui is sending."""

import pytest

from comfytui.presentation.command_text import cancellation_message
from comfytui.service.results import BatchCancelled


@pytest.mark.parametrize(("count", "verb", "them"), [(1, "is", "it"), (2, "are", "them")])
def test_what_is_being_sent_is_counted(count: int, verb: str, them: str) -> None:
    text = f"{count} {verb} being sent by another comfytui: cancel {them} once more."
    assert cancellation_message(BatchCancelled(being_sent=count)) == (text, "warning")

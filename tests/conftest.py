"""Settings and options shared by all tests."""

import os

import pytest
from hypothesis import settings

from tests.late_accepts import close_late_accepts
from tests.settled_pilot import wait_until_settled

close_late_accepts()
wait_until_settled()

# Screens under test have all colours, whatever terminal the tests run in.
os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
os.environ.pop("NO_COLOR", None)

# A busy machine must not fail a test: no example has a deadline.
settings.register_profile("dev", deadline=None, max_examples=25)
settings.register_profile("full", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--comfyui", metavar="URL", help="the server that the live tests drive")
    parser.addoption(
        "--header", metavar="'NAME: VALUE'", action="append", default=[], help="a header to send to that server"
    )
    parser.addoption("--checkpoint", metavar="NAME", help="the SD-like checkpoint of the live tests, if not the first")
    parser.addoption("--seed", type=int, help="repeat a soak that printed this seed")

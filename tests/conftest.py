"""What the tests of several rooms share."""

import os

import pytest
from hypothesis import settings

from tests.late_accepts import close_late_accepts

close_late_accepts()

# The screens of tests have all colours, whatever terminal the tests are run in.
os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
os.environ.pop("NO_COLOR", None)

# A busy machine is no failure: nothing here is judged by the clock.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--comfyui", metavar="URL", help="the server that the live tests drive")
    parser.addoption("--header", metavar="'NAME: VALUE'", action="append", default=[], help="what lets us in")
    parser.addoption("--checkpoint", metavar="NAME", help="the SD-like checkpoint of the live tests, if not the first")
    parser.addoption("--seed", type=int, help="what a soak printed at its start, to have it once more")

"""What the tests of several rooms share."""

import pytest
from hypothesis import settings

# A busy machine is no failure: nothing here is judged by the clock.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--comfyui", metavar="URL", help="the server that the live tests drive")

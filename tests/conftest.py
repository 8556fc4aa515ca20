"""What the tests of several rooms share."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--comfyui", metavar="URL", help="the server that the live tests drive")

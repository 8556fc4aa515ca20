"""The browsers in which the page is tested."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.browser import chromium, firefox
from tests.browser.browser import Browser

BROWSERS: Mapping[str, tuple[str, Callable[[Path], AbstractContextManager[Browser]]]] = {
    "chromium": (chromium.UNAVAILABLE, chromium.running_chromium),
    "firefox": (firefox.UNAVAILABLE, firefox.running_firefox),
}
"""Why each cannot be driven, and what runs it."""


@pytest.fixture(scope="module", params=BROWSERS)
def browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Each of the browsers that are installed."""
    unavailable, running = BROWSERS[request.param]
    if unavailable:
        pytest.skip(unavailable)
    with running(tmp_path_factory.mktemp("browser")) as browser:
        yield browser

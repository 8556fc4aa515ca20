"""The browsers in which the page is tested, and the relays that it is of."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.browser import chromium, firefox
from tests.browser.browser import Browser
from tests.browser.page import TOKEN
from tests.browser.stub_relay import StubRelay

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


@pytest.fixture
async def relay(browser: Browser) -> AsyncIterator[StubRelay]:
    """A relay without a token."""
    relay = StubRelay()
    await relay.start()
    try:
        yield relay
    finally:
        await browser.open("about:blank")
        await relay.stop()


@pytest.fixture
async def locked_relay(browser: Browser) -> AsyncIterator[StubRelay]:
    """A relay that asks for `TOKEN`, and a browser that is not logged in."""
    await browser.delete_cookies()
    relay = StubRelay(token=TOKEN)
    await relay.start()
    try:
        yield relay
    finally:
        await browser.open("about:blank")
        await relay.stop()

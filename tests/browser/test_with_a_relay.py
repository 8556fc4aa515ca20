"""The relay's page in a browser, with a real relay before a simulated server."""

from collections.abc import Iterator

import pytest

from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.browser.chromium import UNAVAILABLE, Browser, running_chromium
from tests.headless.relay.running import running_relay

pytestmark = pytest.mark.skipif(bool(UNAVAILABLE), reason=UNAVAILABLE)
LOADED = "[...document.querySelectorAll('.thumbnail img')].map((each) => each.complete && each.naturalWidth > 0)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running_chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


async def test_a_batch_is_followed_to_its_pictures(browser: Browser) -> None:
    async with SimServer(SimConfig(steps_per_second=20, load_seconds=0.2)) as sim, running_relay(sim.url) as relay:
        await relay.live()
        await browser.open(relay.url)
        await browser.until_text("#empty", "Nothing is running")
        assert await browser.texts("#link") == ["live"]
        await relay.submit(3, model=sim.config.checkpoints[0], prompt="a <b>red</b> fox", steps=20)
        await browser.until("/^Image \\d of 3 - Step \\d+\\/20 /.test(document.querySelector('.line')?.textContent)")
        await browser.until_text(".line span", "3 of 3 done")
        await browser.until_text("#announcement", "a <b>red</b> fox: done, 3 of 3 done")
        await browser.until(LOADED, [True] * 3)
        assert await browser.errors() == []
        await browser.open("about:blank")

"""The relay's page in a browser, with a real relay before a simulated server."""

from comfytui.headless.relay.options import RelayOptions
from comfytui.sim.config import SimConfig
from comfytui.sim.server import SimServer
from tests.browser.browser import Browser
from tests.headless.relay.running import running_relay
from tests.sim.gate import Gate
from tests.waiting import eventually

LOADED = "[...document.querySelectorAll('.thumbnail img')].map((each) => each.complete && each.naturalWidth > 0)"


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


def press(selector: str) -> str:
    return f"document.querySelector({selector!r}).click()"


async def test_images_are_made_and_cancelled_after_a_login(browser: Browser) -> None:
    options = RelayOptions(port=0, token="a long enough token")
    prompt = "雪の中の赤い狐 🦊"
    gate = Gate()
    config = SimConfig(steps_per_second=0, load_seconds=0, preview_size=64)
    async with SimServer(config, clock=gate) as sim, running_relay(sim.url, options=options) as relay:
        await relay.live()
        await browser.delete_cookies()
        await browser.open(relay.url)
        await browser.until_text("#link", "login needed")
        await browser.run(f"document.querySelector('#token').value = {options.token!r}")
        await browser.run(press("#login button"))
        await browser.until_text("#empty", "Nothing is running")
        await browser.until("document.querySelector('#new').checkVisibility()")
        await browser.run(press("#new summary"))
        await browser.run(f"document.querySelector('#prompt').value = {prompt!r}")
        await browser.run("document.querySelector('#images').value = 3")
        await browser.run(press("#generate button"))
        await browser.until_text("#generate-said", "Queued")
        await eventually(lambda: len(sim.submitted) == 3, "the jobs")
        await gate.let_steps(5)
        await browser.until_text(".line span", "Image 1 of 3 - Step 5/20 (25%)")
        assert await browser.texts("h3") == [prompt]
        await browser.until("document.querySelector('.preview').checkVisibility()")
        assert await browser.texts(".preview figcaption") == ["Preview of image 1"]
        await browser.run("document.querySelector('.left').open = true")
        await browser.until("document.querySelectorAll('.left li').length", 3)
        await browser.run(press(".left li:last-child button"))
        await browser.until_text(".left li:last-child button", "Sure? image 3")
        await browser.run(press(".left li:last-child button"))
        await browser.until_text(".left summary", "2 images left")
        assert not sim.machine.interrupted
        await browser.run(press(".actions button"))
        await browser.until_text(".actions button", "Cancel all that is left?")
        await browser.run(press(".actions button"))
        await eventually(lambda: sim.machine.interrupted, "the interrupt, which is the last of the cancellations")
        await gate.let_all()
        await browser.until_text(".line span", "0 of 3 done, 3 cancelled")
        assert sim.files.newest("output") == []
        assert await browser.texts(".actions, #notice") == []
        assert await browser.errors() == []
        await browser.open("about:blank")

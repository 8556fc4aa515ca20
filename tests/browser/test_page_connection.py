"""What the relay's page shows while a connection is lost, and how it comes back."""

from tests.browser.browser import Browser
from tests.browser.page import HIDE, LINE
from tests.browser.stub_relay import StubRelay, batch, end, progress
from tests.waiting import eventually


async def test_the_page_says_why_the_server_is_away(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text("#link", "live")
    relay.link, relay.reason = "offline", "Nothing listens at gpu-box:8188."
    relay.send(progress(link="offline"))
    await browser.until_text("#notice", "Nothing listens at gpu-box:8188.")
    await browser.until_text("#announcement", "Nothing listens at gpu-box:8188.")
    relay.link, relay.reason = "live", ""
    relay.send(progress(link="live"))
    await browser.until("document.querySelector('#notice').hidden")
    await browser.until_text("#announcement", "Connection: live")


async def test_nothing_is_said_to_run_only_as_far_as_is_known(browser: Browser, relay: StubRelay) -> None:
    relay.link, relay.reason = "offline", "Nothing listens at gpu-box:8188."
    await browser.open(relay.url)
    await browser.until_text("#empty", "None of your jobs is running, as last seen")
    assert await browser.texts("#queue") == []


async def test_the_page_comes_back_after_the_relay_restarts(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    await relay.stop()
    await browser.until_text("#notice", "Connection to the relay lost, trying again")
    assert await browser.texts(".seen") == ["as last seen"]
    assert await browser.texts("#link") == ["relay lost"]
    assert await browser.run("document.title") == "comfytui"
    relay.batches = [batch(progress=progress(imageIndex=4, currentStep=3))]
    await relay.start()
    await browser.until_text(LINE, "Image 4 of 4 - Step 3/20 (60%)")
    await browser.until("document.querySelector('#notice').hidden")
    assert await browser.texts(".seen") == []
    assert relay.followers == 1


async def test_the_queue_is_polled_while_the_relay_refuses_streams(browser: Browser, relay: StubRelay) -> None:
    relay.refuses_streams = True
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    await browser.until_text("#link", "no live events")
    assert await browser.texts(".seen") == []
    relay.batches = [batch(progress=progress(currentStep=13))]
    await browser.until_text(LINE, "Image 2 of 4 - Step 13/20 (60%)")
    relay.refuses_streams = False
    await browser.until_text("#link", "live")


async def test_an_end_that_was_missed_is_announced(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    await relay.stop()
    relay.batches = [batch(status="cancelled", counts={"done": 1, "cancelled": 3}, progress=None)]
    await relay.start()
    await browser.until_text("#announcement", "a red fox in fresh snow: cancelled, 1 of 4 done, 3 cancelled")


async def test_a_batch_that_the_queue_does_not_list_is_asked_for_once(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    before = relay.requests.count("/api/queue")
    for step in range(10):
        relay.send(progress("unlisted", currentStep=step), progress(currentStep=step))
        await eventually(lambda: relay.requests.count("/api/queue") > before, "the question")
    await browser.until("document.querySelector('#front .line span').textContent.includes('Step 9/')")
    assert relay.requests.count("/api/queue") == before + 1


async def test_what_is_not_observed_is_as_last_seen(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    relay.send(progress(link="offline"))
    await browser.until_text("#link", "offline")
    assert await browser.texts(".seen") == ["as last seen"]
    relay.send(progress(link="live"))
    await browser.until_text("#link", "live")
    assert await browser.texts(".seen") == []


async def test_the_title_goes_on_in_the_background(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until("document.title", "Image 2 of 4 - Step 12/20 (60%) · comfytui")
    await browser.run(f"(window.requestAnimationFrame = () => 0, {HIDE})")
    await browser.run("document.dispatchEvent(new Event('visibilitychange'))")
    relay.send(progress(currentStep=13))
    await browser.until("document.title", "Image 2 of 4 - Step 13/20 (60%) · comfytui")
    relay.send(end())
    await browser.until("document.title", "comfytui")


async def test_a_batch_that_is_new_is_read_from_the_queue(browser: Browser, relay: StubRelay) -> None:
    await browser.open(relay.url)
    await eventually(lambda: relay.followers, "the stream")
    await browser.until("document.querySelector('#empty').textContent !== ''")
    relay.batches = [batch("new", "a harbour", progress=progress("new"))]
    relay.send(progress("new"))
    await browser.until_text("h3", "a harbour")

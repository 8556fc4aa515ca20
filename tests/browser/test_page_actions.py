"""What a user does on the relay's page: log in, make images, cancel them."""

from tests.browser.browser import Browser
from tests.browser.page import HIDE, LINE, SUBMIT, TOKEN, log_in
from tests.browser.stub_relay import StubRelay, batch, image, progress
from tests.waiting import eventually


async def test_a_relay_with_a_token_asks_for_it(browser: Browser, locked_relay: StubRelay) -> None:
    locked_relay.batches = [batch()]
    await browser.open(locked_relay.url)
    await browser.until("document.querySelector('#login').checkVisibility()")
    await browser.until_text("#link", "login needed")
    await browser.run(SUBMIT.format("wrong"))
    await browser.until_text("#login-error", "This is not the token of the relay.")
    await browser.run(SUBMIT.format(TOKEN))
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    assert not await browser.run("document.querySelector('#login').checkVisibility()")
    assert not [path for path in locked_relay.requests if "right" in path]


async def test_a_login_that_has_ended_is_asked_for_again(browser: Browser, locked_relay: StubRelay) -> None:
    locked_relay.batches = [batch()]
    await browser.open(locked_relay.url)
    await browser.until("document.querySelector('#login').checkVisibility()")
    await browser.run(SUBMIT.format(TOKEN))
    await browser.until_text("#queue", "queue 3")
    await locked_relay.stop()
    await browser.until("document.querySelector('#notice').checkVisibility()")
    await browser.delete_cookies()
    await locked_relay.start()
    await browser.until_text("#link", "login needed")
    assert await browser.texts("#notice, #queue, .seen") == ["as last seen"]


async def test_the_token_is_asked_for_when_a_request_is_refused(browser: Browser, locked_relay: StubRelay) -> None:
    await log_in(browser, locked_relay)
    await browser.run("(document.querySelector('#new').open = true, document.querySelector('#prompt').value = 'a fox')")
    await browser.delete_cookies()
    # In the background, the page asks for the server no more.
    await browser.run(HIDE)
    await browser.run("document.querySelector('#generate').requestSubmit()")
    await browser.until("document.querySelector('#login').checkVisibility()")
    await browser.run(SUBMIT.format(TOKEN))
    await browser.until("document.querySelector('#prompt').checkVisibility()")
    assert await browser.run("document.querySelector('#prompt').value") == "a fox"
    assert not locked_relay.generated


async def test_who_has_logged_in_may_cancel_the_rest_of_a_batch(browser: Browser, locked_relay: StubRelay) -> None:
    states = {1: "done", 2: "running", 3: "queued", 4: "queued"}
    locked_relay.batches = [batch()]
    locked_relay.jobs = [image(index=index, status=status, outputs=[]) for index, status in states.items()]
    await browser.open(locked_relay.url)
    await browser.until("document.querySelector('#login').checkVisibility()")
    await browser.run(SUBMIT.format(TOKEN))
    await browser.until("document.querySelector('.actions')?.checkVisibility()")
    await browser.run("document.querySelector('.actions button').click()")
    assert await browser.texts(".actions button") == ["Cancel all that is left?"]
    assert not locked_relay.cancelled
    await browser.run("document.querySelector('.actions button').click()")
    await eventually(lambda: locked_relay.cancelled == ["b1"], "the cancellation")
    await browser.open(locked_relay.url)
    await browser.until("document.querySelector('.actions')?.checkVisibility()")


async def test_who_has_logged_in_may_cancel_one_image(browser: Browser, locked_relay: StubRelay) -> None:
    states = {1: "done", 2: "running", 3: "queued", 4: "queued"}
    locked_relay.batches = [batch()]
    locked_relay.jobs = [image(index=index, status=status, outputs=[]) for index, status in states.items()]
    await log_in(browser, locked_relay)
    await browser.until_text(".left summary", "3 images left")
    await browser.run("document.querySelector('.left summary').click()")
    await browser.until("document.querySelectorAll('.left li').length", 3)
    assert await browser.texts(".left li > :first-child") == ["Image 2, running", "Image 3, queued", "Image 4, queued"]
    button = ".left li:nth-child(2) button"
    assert await browser.texts(button) == ["Cancel image 3"]
    await browser.run(f"(document.querySelector({button!r}).focus(), document.activeElement.click())")
    assert await browser.texts(button) == ["Sure? image 3"]
    assert not locked_relay.cancelled
    locked_relay.cancel_answers = [(409, {"outcome": "too_late", "message": "Too late: it had already finished."})]
    await browser.run("document.activeElement.click()")
    await eventually(lambda: locked_relay.cancelled == ["b1-p3"], "the cancellation")
    await browser.until_text(button, "Cancel image 3")
    assert not await browser.run("document.querySelector('.left li:nth-child(2) .bad').textContent")
    locked_relay.send(image(index=3, status="cancelled", outputs=[]))
    await browser.until_text(".left summary", "2 images left")
    assert await browser.texts(".left li > :first-child") == ["Image 2, running", "Image 4, queued"]
    assert await browser.run("document.activeElement.closest('article').dataset.id") == "b1"
    locked_relay.send(image(index=2), progress(imageIndex=4, promptId="b1-p4", currentStep=1))
    await browser.until_text(LINE, "Image 4 of 4 - Step 1/20 (60%)")
    assert await browser.texts(".left") == []


async def test_who_has_logged_in_may_make_images(browser: Browser, locked_relay: StubRelay) -> None:
    locked_relay.answers = [(503, {"error": "ComfyUI cannot be reached (offline): nothing was saved.", "saved": False})]
    await browser.open(locked_relay.url)
    await browser.until("document.querySelector('#login').checkVisibility()")
    await browser.run(SUBMIT.format(TOKEN))
    await browser.until("document.querySelector('#new').checkVisibility()")
    await browser.run("(document.querySelector('#new').open = true, document.querySelector('#prompt').value = 'a fox')")
    await browser.run("document.querySelector('#images').value = 3")
    submit = "document.querySelector('#generate').requestSubmit()"
    await browser.run(submit)
    await browser.until_text("#generate-said", "ComfyUI cannot be reached (offline): nothing was saved.")
    await browser.run(submit)
    await browser.until_text("#generate-said", "Queued")
    await browser.run(submit)
    await eventually(lambda: len(locked_relay.generated) == 3, "the third request")
    keys, bodies = zip(*locked_relay.generated, strict=True)
    assert bodies == ({"values": {"prompt": "a fox"}, "images": 3},) * 3
    assert keys[0] == keys[1] != keys[2]


async def test_images_that_cannot_be_saved_are_no_failure(browser: Browser, locked_relay: StubRelay) -> None:
    text = "ComfyUI cannot be reached (offline): the images cannot be saved; they are made once it is back."
    locked_relay.answers = [(503, {"error": text, "saved": False, "batchId": "b1"})]
    await log_in(browser, locked_relay)
    await browser.run("document.querySelector('#new').open = true")
    await browser.run("document.querySelector('#prompt').value = 'a fox'")
    submit = "document.querySelector('#generate').requestSubmit()"
    await browser.run(submit)
    await browser.until_text("#generate-said", text)
    assert await browser.run("document.querySelector('#generate-said').className") == ""
    await browser.until("!document.querySelector('#generate button').disabled")
    await browser.run(submit)
    await eventually(lambda: len(locked_relay.generated) == 2, "the second request")
    assert locked_relay.generated[0][0] != locked_relay.generated[1][0], "It is another one"


async def test_a_request_is_queued_only_while_its_images_wait(browser: Browser, locked_relay: StubRelay) -> None:
    locked_relay.answers = [(202, {"batchId": "b1"})] * 2
    locked_relay.batches = [batch(progress=progress(status="queued"))]
    await log_in(browser, locked_relay)
    await browser.run("document.querySelector('#new').open = true")
    await browser.run("document.querySelector('#prompt').value = 'a fox'")
    await browser.run("document.querySelector('#generate').requestSubmit()")
    await browser.until_text("#generate-said", "Queued")
    await browser.run("(window.start = performance.now(), performance.now = () => window.start + 60_000)")
    await browser.run("new Promise((done) => setTimeout(done, 500))")
    assert await browser.texts("#generate-said") == ["Queued"]
    locked_relay.send(progress(status="running"))
    await browser.until_text("#generate-said", "")
    await browser.run("document.querySelector('#generate').requestSubmit()")
    await browser.until_text("#generate-said", "Queued")
    await browser.run("document.querySelector('#prompt').dispatchEvent(new Event('input', {bubbles: true}))")
    await browser.until_text("#generate-said", "")


async def test_what_is_typed_stays_while_the_relay_is_away(browser: Browser, locked_relay: StubRelay) -> None:
    await log_in(browser, locked_relay)
    await browser.run("(document.querySelector('#new').open = true, document.querySelector('#prompt').focus())")
    await browser.run("document.querySelector('#prompt').value = 'a fo'")
    await locked_relay.stop()
    await browser.until("document.querySelector('#notice').checkVisibility()")
    assert await browser.run("[document.activeElement.id, document.activeElement.value]") == ["prompt", "a fo"]
    await browser.run("document.querySelector('#generate').requestSubmit()")
    await browser.until_text("#generate-said", "The relay is not reached")


async def test_without_a_login_the_page_only_shows(browser: Browser, relay: StubRelay) -> None:
    relay.batches = [batch()]
    await browser.open(relay.url)
    await browser.until_text(LINE, "Image 2 of 4 - Step 12/20 (60%)")
    assert await browser.texts("button") == []

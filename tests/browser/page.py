"""What the tests of the relay's page have in common."""

from tests.browser.browser import Browser
from tests.browser.stub_relay import StubRelay

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
LINE = "#front .line span"
HIDE = "void Object.defineProperty(document, 'hidden', {value: true})"
SUBMIT = "(document.querySelector('#token').value = {!r}, document.querySelector('#login').requestSubmit())"
TOKEN = "the right one"


async def log_in(browser: Browser, relay: StubRelay) -> None:
    """Open the page of a relay, and log in."""
    await browser.open(relay.url)
    await browser.until("document.querySelector('#login').checkVisibility()")
    await browser.run(SUBMIT.format(TOKEN))
    await browser.until("document.querySelector('#new').checkVisibility()")

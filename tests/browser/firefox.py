"""A headless firefox, driven over Marionette, the protocol that its WebDriver server speaks to it."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.browser.browser import Browser
from tests.waiting import TIMEOUT

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
UNAVAILABLE = "" if FIREFOX else "no firefox is installed"
"""Why no browser can be driven; empty if one can."""
ERRORS = """
const messages = Services.console.getMessageArray().filter((each) => each instanceof Ci.nsIScriptError);
const isError = (each) => /javascript|CSP/.test(each.category) && !(each.flags & Ci.nsIScriptError.warningFlag);
const found = messages.filter((each) => /^http/.test(each.sourceName) && isError(each));
Services.console.reset();
return found.map((each) => each.errorMessage);
"""


class Firefox(Browser):
    """One tab of firefox."""

    async def delete_cookies(self) -> None:
        await asyncio.to_thread(self._driver.privileged, "Services.cookies.removeAll()")

    async def errors(self) -> list[str]:
        return list(await asyncio.to_thread(self._driver.privileged, ERRORS))


class Marionette:
    """A connection to a firefox; its methods are called from threads."""

    def __init__(self, port: int) -> None:
        self._socket = _connect(port)
        self._stream = self._socket.makefile("rb")
        self._lock = threading.Lock()
        self._number = 0
        self._read()
        self._send("WebDriver:NewSession", capabilities={})

    def get(self, url: str) -> None:
        """Open a page."""
        self._send("WebDriver:Navigate", url=url)

    def execute_script(self, script: str) -> Any:
        """Return what a script in the page returns."""
        return self._send("WebDriver:ExecuteScript", script=script, args=[])["value"]

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
        self._socket.close()

    def privileged(self, script: str) -> Any:
        """Return what a script returns that may do what the browser itself may."""
        self._send("Marionette:SetContext", value="chrome")
        try:
            return self.execute_script(script)
        finally:
            self._send("Marionette:SetContext", value="content")

    def _send(self, command: str, **parameters: Any) -> Any:
        with self._lock:
            self._number += 1
            message = json.dumps([0, self._number, command, parameters]).encode()
            self._socket.sendall(b"%d:%b" % (len(message), message))
            _, _, error, result = self._read()
        assert error is None, f"{command}: {error}"
        return result

    def _read(self) -> Any:
        size = b""
        while (byte := self._stream.read(1)) != b":":
            assert byte, "firefox has ended"
            size += byte
        return json.loads(self._stream.read(int(size)))


@contextmanager
def running_firefox(folder: Path) -> Iterator[Firefox]:
    """Run a browser with its profile in a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "user.js").write_text(f'user_pref("marionette.port", {port});\nuser_pref("network.proxy.type", 0);\n')
    options = ("--headless", "--no-remote", "--marionette", "--remote-allow-system-access", "--profile", str(folder))
    output = subprocess.DEVNULL
    process = subprocess.Popen(
        [str(FIREFOX), *options], env={**os.environ, "HOME": str(folder)}, stdout=output, stderr=output
    )
    try:
        marionette = Marionette(port)
        try:
            yield Firefox(marionette)
        finally:
            marionette.close()
    finally:
        process.terminate()
        process.wait(TIMEOUT)


def _connect(port: int) -> socket.socket:
    over = time.monotonic() + TIMEOUT
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        except OSError:
            assert time.monotonic() < over, "firefox does not answer"
            time.sleep(0.05)

"""The cause of a failed connection is found however deep libraries wrapped it."""

import errno
import socket
import ssl

import pytest

from comfytui.comfy.connection_errors import unreachable
from comfytui.comfy.server import Server


def wrapped(cause: BaseException) -> BaseException:
    outer, middle = OSError("All connection attempts failed"), RuntimeError()
    middle.__cause__, outer.__context__ = cause, middle
    return outer


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")
MERGED = OSError(f"Multiple exceptions: {REFUSED}, {REFUSED}")


@pytest.mark.parametrize(
    ("cause", "kind", "advice"),
    [
        (REFUSED, "refused", "start ComfyUI"),
        (MERGED, "refused", "start ComfyUI"),
        (ExceptionGroup("both addresses", [OSError(), REFUSED]), "refused", "start ComfyUI"),
        (socket.gaierror(-2, "Name or service not known"), "dns", "spelling"),
        (ssl.SSLCertVerificationError("self-signed"), "other", "--ca"),
        (ssl.SSLError("record layer failure"), "other", "http://"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "other", "SSH forward"),
    ],
)
def test_each_cause_of_a_failed_connection_has_its_message(cause: BaseException, kind: str, advice: str) -> None:
    for error in (cause, wrapped(cause)):
        found = unreachable(Server.from_url("box"), error)
        assert found.kind == kind
        assert advice in str(found)
        assert ('"box"' if kind == "dns" else "box:8188") in str(found)


@pytest.mark.parametrize(
    ("server", "message"),
    [
        (Server.from_url("gpu"), 'Unknown host "gpu", and no server of that name in config.toml'),
        (Server.from_url("http://gpu.example.org"), 'Unknown host "gpu.example.org": check the spelling'),
        (Server.from_url("gpu", name="box"), 'Unknown host "gpu": check the url of [servers.box] in config.toml'),
    ],
)
def test_an_unknown_host_may_be_a_misspelt_server_name(server: Server, message: str) -> None:
    assert str(unreachable(server, socket.gaierror(-2, "Name or service not known"))).startswith(message)

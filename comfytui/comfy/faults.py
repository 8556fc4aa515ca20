"""What goes wrong on the way to a server, in the words of `comfytui.comfy.errors`; HTTP and socket share it."""

import errno
import socket
import ssl
from collections.abc import Iterator

from comfytui.comfy.errors import NotComfyUI, Unauthorized, Unreachable


def refused_entry(shown: str, status: int) -> Unauthorized:
    """What to do about a 401, a 403 or a redirect to a login."""
    return Unauthorized(
        f"{shown} wants to know who you are ({status}): put user:password@ before the host, or give --header."
    )


def not_comfyui(shown: str) -> NotComfyUI:
    """What to do where something else answers."""
    return NotComfyUI(f"What answers at {shown} is no ComfyUI: check the address and the port (ComfyUI's own is 8188).")


def bad_proxy(shown: str) -> Unreachable:
    """What to do about a proxy of the environment that cannot be used at all."""
    return Unreachable(f"The proxy that the environment names cannot be used: unset it, or add {shown} to NO_PROXY.")


def unreachable(shown: str, error: BaseException) -> Unreachable:
    """Why there is no connection, out of the chain of causes."""
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return Unreachable(f"The certificate of {shown} is not trusted: give --ca FILE, or --insecure.")
            case ssl.SSLError():
                return Unreachable(f"{shown} does not speak TLS as we do: try http://, or give --cert FILE.")
            case socket.gaierror():
                return Unreachable(f"No host has the name in {shown}: check the spelling and the network.", "dns")
            case OSError() if _refused(cause):
                return Unreachable(
                    f"Nothing listens at {shown}: start ComfyUI there, or forward the port with ssh -L.", "refused"
                )
    return Unreachable(f"{shown} cannot be reached: check the address, the VPN or the SSH forward.")


def _refused(error: OSError) -> bool:
    # For a host with several addresses asyncio folds all refusals into the text of one error.
    return isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it; a host with several addresses gives a group, or one error for all of them."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _causes(member)
        error = error.__cause__ or error.__context__

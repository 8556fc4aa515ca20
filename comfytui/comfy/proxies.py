"""The proxy of a server, from the environment: one rule for HTTP and websocket, whose libraries differ."""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from comfytui.comfy.connection_errors import bad_proxy
from comfytui.comfy.server import Server


def proxy_of(server: Server) -> str | None:
    """Return the URL of the proxy for a server, or None for a direct connection.

    It is read from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, or from the system's settings; servers on this
    machine are always connected to directly.

    Raises:
        Unreachable: If the proxy's URL is invalid.
    """
    parts = urlsplit(server.base)
    if server.loopback or proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        _ = urlsplit(proxy).port
    except ValueError:
        raise bad_proxy(server) from None
    return proxy

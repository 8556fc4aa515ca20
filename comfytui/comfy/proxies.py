"""Which proxy stands on the way to a server: one rule for HTTP and socket, whose libraries have two."""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from comfytui.comfy.connection_errors import bad_proxy
from comfytui.comfy.server import Server


def proxy_of(server: Server) -> str | None:
    """The proxy's URL, or None: by HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, and never to this machine.

    Raises Unreachable if what is named there is no URL.
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

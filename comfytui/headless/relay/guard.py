"""An application that keeps to its limits, before it has routes."""

from aiohttp import web

from comfytui.headless.relay.errors import errors_as_json
from comfytui.headless.relay.headers import set_security_headers
from comfytui.headless.relay.limits import RelayLimits, limit_bodies, limit_streams
from comfytui.headless.relay.options import RelayOptions

DEFAULT_LIMITS = RelayLimits()


def guarded_app(options: RelayOptions, limits: RelayLimits = DEFAULT_LIMITS) -> web.Application:
    """Return an application whose requests are checked before its handlers see them.

    Args:
        options: How many clients may wait at once.
        limits: What a request may take.
    """
    app = web.Application(middlewares=[errors_as_json], client_max_size=limits.body_bytes)
    app.on_response_prepare.append(set_security_headers)
    app.middlewares.extend([limit_bodies(limits), limit_streams(options.clients)])
    return app

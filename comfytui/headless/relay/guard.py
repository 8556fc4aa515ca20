"""An application that lets in whom its options say, within limits, before it has routes."""

from aiohttp import web

from comfytui.headless.relay.access import Access
from comfytui.headless.relay.errors import errors_as_json
from comfytui.headless.relay.headers import set_security_headers
from comfytui.headless.relay.limits import RelayLimits, limit_bodies, limit_streams
from comfytui.headless.relay.options import RelayOptions
from comfytui.headless.relay.origins import allow_origins, guard_origins

DEFAULT_LIMITS = RelayLimits()


def guarded_app(options: RelayOptions, limits: RelayLimits = DEFAULT_LIMITS) -> web.Application:
    """Return an application whose requests are checked before its handlers see them.

    Args:
        options: Who gets in.
        limits: What a request may take.
    """
    app = web.Application(middlewares=[errors_as_json, guard_origins(options)], client_max_size=limits.body_bytes)
    app.on_response_prepare.append(set_security_headers)
    allow_origins(app, options.allowed_origins)
    Access(options, limits.wrong_token_seconds).add_to(app)
    # What follows costs memory and time, and comes after the check of the token.
    app.middlewares.extend([limit_bodies(limits), limit_streams(options.clients)])
    return app

"""Which requests the demo shop's server refuses, and the headers with which browsers protect its pages.

The server holds the management key. It listens only on loopback, but every page that the developer's browser has open
can send requests there: by its address, or by another name that leads there (DNS rebinding).
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from werkzeug.exceptions import Forbidden, UnsupportedMediaType
from werkzeug.wrappers import Request, Response

from local.settings import HOST

JSON: Final = "application/json"
BODY_BYTES: Final = 65_536
"""The largest body of a request."""
_READS: Final = frozenset({"GET", "HEAD"})
_FRAMED: Final = "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"


class LimitedRequest(Request):
    """A request whose body has at most `BODY_BYTES`: reading a larger one raises `RequestEntityTooLarge`."""

    max_content_length = BODY_BYTES


def check(request: Request, port: int) -> None:
    """Check where a request was sent to and where it comes from.

    Raises `Forbidden`, and `UnsupportedMediaType` for a change whose body is not JSON.
    """
    own = {f"{name}:{port}" for name in (HOST, "localhost")}
    host = request.environ.get("HTTP_HOST", "")
    if host not in own:
        raise Forbidden(f"this server is http://{HOST}:{port}, and has no other name")
    if request.method in _READS:
        return
    if request.headers.get("Origin", f"http://{host}") != f"http://{host}":
        raise Forbidden("the request comes from another page than the demo shop's")
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise Forbidden("the request comes from another page than the demo shop's")
    if request.get_data() and request.mimetype != JSON:
        raise UnsupportedMediaType(f"the body must be JSON: send Content-Type: {JSON}")


def protect(response: Response, apis: Iterable[str]) -> None:
    """Set the security headers that a response does not have yet. The pages may send requests to ``apis`` (URLs)."""
    origins = sorted({"{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in apis})
    connect = " ".join(["connect-src 'self'", *origins])
    for name, value in {
        "Content-Security-Policy": f"default-src 'self'; {connect}; object-src 'none'; {_FRAMED}",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }.items():
        response.headers.setdefault(name, value)


def allow_own_policy(response: Response) -> None:
    """Leave a page's scripts and styles to the policy in the page itself, which knows them; only our pages frame it."""
    response.headers["Content-Security-Policy"] = _FRAMED

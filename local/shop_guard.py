"""Which requests the demo shop's server refuses, and the headers with which browsers protect its pages.

The server holds the management key. It listens only on loopback, but every page that the developer's browser has open
can send requests there: by its address, or by another name that leads there (DNS rebinding).
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from werkzeug.exceptions import Forbidden, UnsupportedMediaType
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from local.settings import HOST

JSON: Final = "application/json"
BODY_BYTES: Final = 65_536
"""The largest body of a request."""
_READS: Final = frozenset({"GET", "HEAD"})
_OWN: Final = frozenset({"same-origin", "none"})
"""Sites of requests that browsers send for one of our pages, or for a person who typed an address."""


class LimitedRequest(Request):
    """A request whose body has at most `BODY_BYTES`: reading a larger one raises `RequestEntityTooLarge`."""

    max_content_length = BODY_BYTES


class SelfContainedPage(Response):
    """A page with scripts and styles in it, and with the policy that allows them."""

    default_mimetype = "text/html"


def check(request: Request, port: int) -> None:
    """Check where a request was sent to and where it comes from.

    Raises `Forbidden`, and `UnsupportedMediaType` for a change whose body is not JSON.
    """
    host = request.environ.get("HTTP_HOST", "")
    if host not in {f"{HOST}:{port}", f"localhost:{port}"}:
        raise Forbidden(f"this server is http://{HOST}:{port}, and has no other name")
    site, reads = request.headers.get("Sec-Fetch-Site", "none"), request.method in _READS
    if (
        not (site in _OWN or (reads and _follows_link(request)))
        or request.headers.get("Origin", f"http://{host}") != f"http://{host}"
    ):
        raise Forbidden("the request comes from another page than the demo shop's")
    if not reads and request.get_data() and request.mimetype != JSON:
        raise UnsupportedMediaType(f"the body must be JSON: send Content-Type: {JSON}")


def other_name(request: Request, port: int) -> Response | None:
    """Return a redirect for a person who opens a page as ``localhost``, ``None`` for others.

    Browsers keep the data of a page by its host: one name keeps the cart through the page for payments.
    """
    if request.method not in _READS or not _follows_link(request) or request.host != f"localhost:{port}":
        return None
    return redirect(f"http://{HOST}:{port}{request.environ['REQUEST_URI']}")


def protect(response: Response, apis: Iterable[str]) -> None:
    """Set the security headers that a response does not have yet. The pages may send requests to ``apis`` (URLs)."""
    origins = sorted({"{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in apis})
    policy = [
        " ".join(["connect-src 'self'", *origins]),
        "frame-ancestors 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    if not isinstance(response, SelfContainedPage):
        policy = ["default-src 'self'", "object-src 'none'", *policy]
    for name, value in {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }.items():
        response.headers.setdefault(name, value)


def _follows_link(request: Request) -> bool:
    """Return whether a browser opens a page, in place of a request by a page's script."""
    return request.headers.get("Sec-Fetch-Mode") == "navigate"

"""PUT, PATCH and DELETE of /6/{hashid}/stats/cart/{session_id}: what a visitor puts in the cart."""

from storefront.store.sessions import SessionStore
from storefront.store.table import connect
from storefront.web.edge import clock, endpoint
from storefront.web.request import Request
from storefront.web.response import Response
from storefront.web.search_api import API, REGISTERED, addition_of, removal_of, session_of
from storefront.web.telemetry import Telemetry

telemetry = Telemetry("stats_cart")
sessions = SessionStore(connect(telemetry.observe_call), clock)


def add(request: Request) -> Response:
    """Put an item in the session's cart, or more of it."""
    sessions.add(session_of(request), addition_of(request))
    return registered()


def take_away(request: Request) -> Response:
    """Take an amount of an item out of the session's cart."""
    sessions.remove(session_of(request), removal_of(request))
    return registered()


def empty(request: Request) -> Response:
    """Empty the session's cart, whatever the body holds."""
    sessions.empty(session_of(request), time_left=request.time_left)
    return registered()


def registered() -> Response:
    """Count the event and say that it is registered."""
    telemetry.count("RegisteredEvents")
    return REGISTERED


handler = endpoint(API, telemetry, {"PUT": add, "PATCH": take_away, "DELETE": empty})

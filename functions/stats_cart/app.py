"""PUT, PATCH and DELETE /6/{hashid}/stats/cart/{session_id}: a search session's cart (contract: Search routes)."""

from aws_lambda_powertools.event_handler import Response

from serverless_cart import bootstrap, cold_start
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App
from serverless_cart.web.search_api import API, registered
from serverless_cart.web.search_cart import addition_of, removal_of, session_of

ROUTE = "/6/{hashid}/stats/cart/{session_id}"

telemetry = Telemetry("stats_cart")
sessions = bootstrap.session_store(Environment.load(), telemetry)
app = App(API, telemetry)


@app.put(ROUTE)
def add() -> Response[str]:
    """Add an amount of an item to the session's cart."""
    sessions.add(session_of(app.parsed_request), addition_of(app.parsed_request))
    telemetry.count("RegisteredEvents")
    return registered()


@app.patch(ROUTE)
def remove() -> Response[str]:
    """Subtract an amount of an item from the session's cart."""
    sessions.remove(session_of(app.parsed_request), removal_of(app.parsed_request))
    telemetry.count("RegisteredEvents")
    return registered()


@app.delete(ROUTE)
def empty() -> Response[str]:
    """Empty the session's cart; the body is not read."""
    sessions.empty(session_of(app.parsed_request), time_left=app.parsed_request.time_left)
    telemetry.count("RegisteredEvents")
    return registered()


handler = app.handler()
cold_start.finish()

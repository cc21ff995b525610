"""PUT and GET /6/{hashid}/stats/{init,click,image,redirect,checkout}: a session's events (contract: Search routes)."""

from aws_lambda_powertools.event_handler import Response

from serverless_cart import bootstrap, cold_start
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App
from serverless_cart.web.search_api import API, registered
from serverless_cart.web.search_events import banner_click_of, checkout_of, click_of, redirect_of, start_of

STATS = "/6/{hashid}/stats"
METHODS = ["PUT", "GET"]  # js-doofinder's registerEvent sends GET

telemetry = Telemetry("stats_events")
events = bootstrap.search_event_store(Environment.load(), telemetry)
app = App(API, telemetry)


@app.route(f"{STATS}/init", METHODS)
def init() -> Response[str]:
    """Start the session; a repeated start changes nothing."""
    events.start(start_of(app.parsed_request))
    telemetry.count("RegisteredEvents")
    return registered()


@app.route(f"{STATS}/click", METHODS)
def click() -> Response[str]:
    """Record a click on an item."""
    events.record(click_of(app.parsed_request), app.parsed_request.id)
    telemetry.count("RegisteredEvents")
    return registered()


@app.route(f"{STATS}/image", METHODS)
def image() -> Response[str]:
    """Record a click on a banner."""
    events.record(banner_click_of(app.parsed_request), app.parsed_request.id)
    telemetry.count("RegisteredEvents")
    return registered()


@app.route(f"{STATS}/redirect", METHODS)
def redirect() -> Response[str]:
    """Record a redirection."""
    events.record(redirect_of(app.parsed_request), app.parsed_request.id)
    telemetry.count("RegisteredEvents")
    return registered()


@app.route(f"{STATS}/checkout", METHODS)
def checkout() -> Response[str]:
    """Record a checkout, which sells what is in the session's cart."""
    events.check_out(checkout_of(app.parsed_request), time_left=app.parsed_request.time_left)
    telemetry.count("RegisteredEvents")
    return registered()


handler = app.handler()
cold_start.finish()

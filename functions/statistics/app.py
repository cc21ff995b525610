"""GET /api/v2/stats/{report} and /api/v2/stats/{report}/{part}: what visitors did (contract: Statistics)."""

from aws_lambda_powertools.event_handler import Response

from serverless_cart import bootstrap, cold_start
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App
from serverless_cart.web.statistics import API, name_of, report_answer, selection_of

ROUTE = "/api/v2/stats/{report}"

telemetry = Telemetry("statistics")
statistics = bootstrap.statistics_service(Environment.load(), telemetry)
app = App(API, telemetry)


@app.get(ROUTE)
@app.get(f"{ROUTE}/{{part}}")
def read() -> Response[str]:
    """Return a report; one name has two parts, as clicks/users."""
    request = app.parsed_request
    name = name_of(request)
    telemetry.metrics.add_metadata("report", name)
    selection, written = selection_of(request, name)
    report = statistics.report(name, selection, request.time_left)
    return report_answer(name, selection, report, written)


handler = app.handler()
cold_start.finish()

"""POST and DELETE /api/v2/customers/{customer}/tokens: signing customers in and out (contract: Management routes)."""

from aws_lambda_powertools.event_handler import Response

from serverless_cart import bootstrap, cold_start
from serverless_cart.auth import Token
from serverless_cart.clock import clock
from serverless_cart.dynamodb.token_registry import ShopNotOpen
from serverless_cart.environment import Environment
from serverless_cart.telemetry import Telemetry
from serverless_cart.web.api import App
from serverless_cart.web.management_api import API, answer, customer_and_lifetime_of, customer_of, token_answer
from serverless_cart.web.refusals import Unauthenticated

ROUTE = "/api/v2/customers/{customer}/tokens"
LABEL = "signed in over HTTP"

telemetry = Telemetry("customer_tokens")
tokens = bootstrap.token_registry(Environment.load(), telemetry)
app = App(API, telemetry)


@app.post(ROUTE)
def sign_in() -> Response[str]:
    """Issue a token of the customer, which is only in this answer."""
    customer, lifetime = customer_and_lifetime_of(app.parsed_request)
    expires_at = clock() // 1000 + lifetime
    try:
        key, _ = tokens.sign_in(Token("customer", app.parsed_request.principal.shop, customer, expires_at), LABEL)
    except ShopNotOpen:  # since the authorizer's answer was cached
        raise Unauthenticated from None
    telemetry.count("IssuedTokens")
    return token_answer(key, expires_at)


@app.delete(ROUTE)
def sign_out() -> Response[str]:
    """Revoke all tokens of the customer and return their number; the body is not read."""
    revoked = tokens.sign_out(app.parsed_request.principal.shop, customer_of(app.parsed_request))
    telemetry.count("RevokedTokens", len(revoked))
    return answer(200, {"revoked": len(revoked)})


handler = app.handler()
cold_start.finish()

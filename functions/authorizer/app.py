"""The authorizer of both APIs: whose token it is, and which methods and paths it opens.

API Gateway keeps the answer by token alone, so it is good for every route: the policy names all that this kind of
principal may reach, and what depends on the request (the search engine, the address, the origin) the functions check.
Every judgement is an answer, a refusal too, because an answer is kept and an exception is not. Only a table that cannot
be read raises, which the gateway answers with 503.
"""

import time
from typing import Any

from storefront import log, tokens
from storefront.log import Metric
from storefront.store.table import connect
from storefront.store.tokens import TokenStore

# Never a wildcard in front of the path: "*/6/*" would open PATCH /api/shop/cart/items/6/ to an API key.
OPENS: dict[tokens.Kind, list[str]] = {
    "api_key": [f"{method}/6/*" for method in ("GET", "PUT", "POST", "PATCH", "DELETE")],
    "customer": [f"{method}/api/shop/*" for method in ("GET", "PUT", "POST", "PATCH", "DELETE")],
}

latencies: list[float] = []
store = TokenStore(connect(lambda _operation, milliseconds: latencies.append(milliseconds)))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - the runtime's own object
    """Judge the token of a request."""
    latencies.clear()
    key = tokens.key_of(event["authorizationToken"])
    # No more of the digest than it takes to follow one caller through the log.
    caller = tokens.digest(key)[:8] if key else "malformed"
    principal = store.principal(tokens.digest(key), time.time()) if key else None
    report(caller, principal, context.aws_request_id)
    stage = "/".join(event["methodArn"].split("/")[:2])
    if principal is None:
        return answer(caller, "Deny", [f"{stage}/*"], {})
    opened = [f"{stage}/{path}" for path in OPENS[principal.kind]]
    return answer(caller, "Allow", opened, principal.to_context())


def answer(caller: str, effect: str, resources: list[str], context: dict[str, str]) -> dict[str, Any]:
    """Write a judgement as API Gateway takes it."""
    return {
        "principalId": caller,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": resources}],
        },
        "context": context,
    }


def report(caller: str, principal: tokens.Principal | None, function_request_id: str) -> None:
    """Log a judgement and its metrics."""
    metrics = [Metric("Judgements", "Count", [1]), Metric("Denials", "Count", [int(principal is None)])]
    if latencies:
        metrics.append(Metric("DatabaseLatency", "Milliseconds", latencies))
    log.write(
        "authorizer",
        "INFO",
        metrics,
        message="judged",
        function_request_id=function_request_id,
        caller=caller,
        kind=principal.kind if principal else None,
        shop=principal.shop if principal else None,
    )

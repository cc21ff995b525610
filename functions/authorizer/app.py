"""The authorizer of both APIs: whose token it is, and which methods and paths it opens.

API Gateway keeps the answer by token alone, so it is good for every route: the policy names all that this kind of
principal may reach, and what depends on the request (the search engine, the address, the origin) the functions check.
Every judgement is an answer, a refusal too, because an answer is kept and an exception is not. Only a table that cannot
be read raises, which the gateway answers with 503.
"""

import json
import time
from typing import Any

from storefront import tokens
from storefront.store.table import connect
from storefront.store.tokens import TokenStore

# Never a wildcard in front of the path: "*/6/*" would open PATCH /api/shop/cart/items/6/ to an API key.
OPENS = {
    "api_key": [f"{method}/6/*" for method in ("GET", "PUT", "POST", "PATCH", "DELETE")],
    "customer": [f"{method}/api/shop/*" for method in ("GET", "PUT", "POST", "PATCH", "DELETE")],
}

store = TokenStore(connect())


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - the runtime's own object
    """Judge the token of a request."""
    start = time.time()
    key = tokens.key_of(event["authorizationToken"])
    principal = store.principal(tokens.digest(key), start) if key else None
    # No more of the key's digest than it takes to follow one caller through the log.
    caller = tokens.digest(key)[:8] if key else "malformed"
    print(  # noqa: T201 - the log of a function that does without a logging library
        json.dumps(
            {
                "level": "INFO",
                "service": "authorizer",
                "message": "judged",
                "caller": caller,
                "kind": principal.kind if principal else None,
                "shop": principal.shop if principal else None,
                "function_request_id": context.aws_request_id,
            }
        )
    )
    stage = "/".join(event["methodArn"].split("/")[:2])
    if principal is None:
        return answer(caller, "Deny", [f"{stage}/*"], {})
    return answer(caller, "Allow", [f"{stage}/{opened}" for opened in OPENS[principal.kind]], principal.to_context())


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

"""JSON answers with the headers that all answers of an API share."""

from collections.abc import Mapping
from typing import Final

import pydantic_core
from aws_lambda_powertools.event_handler import Response

JSON: Final = {"Content-Type": "application/json"}
HEADERS: Final = {
    **JSON,
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag,Idempotency-Replayed,Retry-After",
}
"""The headers of an API for storefront pages. Powertools' CORS support adds headers only if a request has an Origin; a
cached answer must have them anyway. The gateway's answers have the same, in template.yaml (contract: CORS)."""


def json_response(
    status: int, body: str, headers: Mapping[str, str] | None = None, common: Mapping[str, str] = HEADERS
) -> Response[str]:
    """Return an answer; ``body`` is JSON text, empty for 304, and ``common`` are the headers of all answers."""
    return Response(status, body=body, headers={**common, **(headers or {})})


def to_json(value: object) -> str:
    """Write a value as compact JSON."""
    return pydantic_core.to_json(value).decode()

"""JSON answers with the headers that all answers share."""

from collections.abc import Mapping
from typing import Final

import pydantic_core
from aws_lambda_powertools.event_handler import Response

HEADERS: Final = {
    "Content-Type": "application/json",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag,Idempotency-Replayed,Retry-After",
}
"""Powertools' CORS support adds headers only if a request has an Origin; a cached answer must have them anyway.
The gateway's answers have the same headers, in template.yaml (contract: CORS)."""


def json_response(status: int, body: str, headers: Mapping[str, str] | None = None) -> Response[str]:
    """Return an answer; ``body`` is JSON text, empty for 304."""
    return Response(status, body=body, headers={**HEADERS, **(headers or {})})


def to_json(value: object) -> str:
    """Write a value as compact JSON."""
    return pydantic_core.to_json(value).decode()

"""An answer, as API Gateway takes it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

HEADERS: Final = {
    "Content-Type": "application/json",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag,Idempotency-Replayed,Retry-After",
}
"""On every answer; template.yaml gives the gateway's own answers the same (contract: CORS)."""


@dataclass(frozen=True, slots=True)
class Response:
    """A status, a body (JSON text in UTF-8) and headers beside those of every answer."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_proxy(self) -> dict[str, Any]:
        """Write the answer for a proxy integration."""
        return {"statusCode": self.status, "headers": {**HEADERS, **self.headers}, "body": self.body}


def to_json(value: object) -> str:
    """Write a value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

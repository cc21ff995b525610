"""JSON bodies of requests, checked by pydantic models."""

from decimal import Decimal
from typing import Final

from pydantic import ValidationError

NOT_AN_OBJECT: Final = "must be a JSON object"
NOTHING_TO_CHANGE: Final = "nothing_to_change"
"""The type of a fault that concerns the body as a whole and whose message is for the client."""
_DIGITS: Final = 20


def integral(body: object) -> object:
    """Turn 2.0 into 2, an integer in JSON Schema too; fractions and numbers beyond all limits stay as they are."""
    if not isinstance(body, dict):
        return body
    return {
        name: int(value)
        if isinstance(value, Decimal) and value == value.to_integral_value() and value.adjusted() < _DIGITS
        else value
        for name, value in body.items()
    }


def faults_of(invalid: ValidationError) -> dict[str, list[str]]:
    """Return the messages by field; those of the body as a whole are in the field ``body``."""
    faults: dict[str, list[str]] = {}
    for fault in invalid.errors(include_url=False, include_context=False, include_input=False):
        if fault["loc"]:
            faults.setdefault(str(fault["loc"][0]), []).append(fault["msg"])
        else:
            faults["body"] = [fault["msg"] if fault["type"] == NOTHING_TO_CHANGE else NOT_AN_OBJECT]
    return faults

"""moto without its slowest step, for the tests that run in one process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto import mock_aws
from moto.core.serialize import ResponseSerializer


@contextmanager
def moto() -> Iterator[None]:
    """Answer requests to AWS in this process.

    moto looks for each type of each attribute value under several names, as its other services need it. Values of
    DynamoDB are dictionaries with the names of the protocol.
    """
    get_value = ResponseSerializer.get_value

    def get_value_of_item(self: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
        return value.get(key) if shape.parent.name == "AttributeValue" else get_value(self, value, key, shape)

    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ResponseSerializer, "get_value", get_value_of_item)
        yield

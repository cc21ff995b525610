"""The last millisecond of an item, in Python and in the conditions of writes."""

from collections.abc import Callable

import pytest

from serverless_cart.dynamodb import expiry
from serverless_cart.dynamodb.expression import Expression

SECOND = 1_700_000_000
ITEM = {"expires_at": {"N": str(SECOND)}}


def test_item_expires_at_its_second() -> None:
    assert not expiry.is_expired(ITEM, SECOND * 1000 - 1)
    assert expiry.is_expired(ITEM, SECOND * 1000)


@pytest.mark.parametrize(
    ("require", "sign"),
    [
        (expiry.require_absent_or_alive, ">"),
        (expiry.require_alive, ">"),
        (expiry.require_absent_or_expired, "<="),
        (expiry.require_expired, "<="),
    ],
)
def test_condition_compares_whole_seconds(require: Callable[[Expression, int], None], sign: str) -> None:
    write = Expression()
    require(write, SECOND * 1000 + 999)
    condition = write.condition()
    assert list(condition["ExpressionAttributeValues"].values()) == [{"N": str(SECOND)}]
    assert f" {sign} " in condition["ConditionExpression"]

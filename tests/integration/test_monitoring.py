"""No alarm and no chart has a metric that nothing writes: the functions write those of their namespace."""

from typing import Any

import pytest

from tests.integration.test_statistics_roll_up import poisoned
from tests.integration.test_telemetry import FIXTURES, run
from tests.support.bundle import Bundle, Instead
from tests.support.cart_requests import add, check_out
from tests.support.monitoring import METRICS, OWN
from tools.support.events import altered, load


def written(bundle: Bundle) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """Return the metrics in the log, each with each set of its dimensions."""
    return {
        (metric["Name"], frozenset((name, line[name]) for name in dimensions))
        for line in bundle.log_lines()
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", ())
        for metric in directive["Metrics"]
        for dimensions in directive["Dimensions"]
    }


@pytest.fixture
def busy(shop: Bundle) -> Bundle:
    """Run every function, with a refusal, a conflict, a fault, a checkout and a record that cannot be counted."""
    for name in FIXTURES:
        run(shop, name)
    tag = add(shop).headers["ETag"]

    def conflict(operation: str) -> None:
        if operation == "UpdateItem":
            shop.database.before = None
            add(shop)

    shop.database.before = conflict
    shop.send("cart_items", altered(load("cart_items/post"), headers={"If-Match": tag}))
    assert check_out(shop).status == 200
    shop.invoke("statistics_roll_up", poisoned(0) | {"shardId": "another"})
    kind = "com.amazonaws.dynamodb.v20120810#AccessDeniedException"
    shop.database.instead = lambda _operation, _asked: Instead(400, {"__type": kind})
    shop.send("cart", load("cart/get"))
    return shop


def test_every_metric_is_written(busy: Bundle) -> None:
    found = written(busy)

    def is_written(name: str, dimensions: tuple[tuple[str, str | None], ...]) -> bool:
        """Compare with the written metrics; a search names only the dimensions."""
        wanted: Any = {key if value is None else (key, value) for key, value in dimensions}
        return any(metric == name and wanted in ({*its}, {key for key, _ in its}) for metric, its in found)

    own = [(it.name, it.dimensions) for it in METRICS if it.namespace == OWN]
    assert len(own) > 10
    assert [it for it in own if not is_written(*it)] == []

"""The demo shop's events in the table: loaded once, as the roll-up writes them."""

import pytest

from local import demo_events
from serverless_cart.domain.statistics import Totals, day_of, hour_of
from serverless_cart.dynamodb.statistics import StatisticsStore
from tests.support.builders import product
from tests.support.bundle import Bundle
from tests.support.operator import Operator
from tools.support.events import HASHID, HOUR, NOW


def test_events_are_loaded_once(bundle: Bundle, operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_events, "DAYS", 20)
    table = operator.deployment.table
    products = [product(number, name=query) for number, query in enumerate(demo_events.QUERIES)]
    today = day_of(hour_of(NOW))
    expected = Totals()
    for part in demo_events.generated(HASHID, products, NOW).values():
        for _, counted in part:
            expected.merge(counted.totals)

    loaded = [demo_events.load(table, HASHID, products, now) for now in (NOW, NOW + HOUR)]

    assert loaded == [True, False]
    assert StatisticsStore(table).totals(HASHID, today - demo_events.DAYS + 1, today) == expected
    assert sum(1 for _ in StatisticsStore(table).details(HASHID, today - 1, today)) == 4 + 3
    assert len(bundle.rows("STATS#")) == demo_events.DAYS + len(range(4 * demo_events.DAYS - 1))

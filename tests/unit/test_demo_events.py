"""The demo shop's events: believable, and the same for a seed."""

import csv
from collections import Counter
from typing import Any

import pytest

from local import demo_events
from local.demo_events import DAYS, QUERIES, SALE
from local.demo_shop import FOLDER
from serverless_cart.domain.product import Product
from serverless_cart.domain.statistics import Counts, Use, day_of, hour_of
from tests.support.builders import product
from tools.support.events import HASHID, NOW

FIRST_DAY = day_of(hour_of(NOW)) - DAYS + 1


@pytest.fixture(scope="module")
def products() -> list[Product]:
    with (FOLDER / "catalogue.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [
        product(int(row["id"]), name=row["name"], price=int(row["price"]), discount=int(row["discount"]))
        for row in rows
    ]


@pytest.fixture(scope="module")
def counts(products: list[Product]) -> Counts:
    return merged(demo_events.generated(HASHID, products, NOW))


@pytest.fixture(scope="module")
def totals(counts: Counts) -> "Counter[Any]":
    """Return the totals by figure, by figure and device, and by figure and number of the day."""
    found: Counter[Any] = Counter()
    for of_day, counted in counts:
        for (figure, device, _), count in counted.totals.counts.items():
            found.update({figure: count, (figure, device): count, (figure, of_day.day - FIRST_DAY): count})
    return found


def merged(parts: dict[int, Counts]) -> Counts:
    whole = Counts()
    for part in sorted(parts):
        whole.merge(parts[part])
    return whole


def test_seed_decides_the_events(products: list[Product], counts: Counts) -> None:
    again, other = (merged(demo_events.generated(HASHID, products, NOW, seed)) for seed in (demo_events.SEED, 1))

    assert list(again) == list(counts)
    assert list(other) != list(counts)


@pytest.mark.parametrize(
    ("part", "whole", "least", "most"),
    [
        (("inits", "mobile"), "inits", 0.55, 0.7),
        ("identified_inits", "inits", 0.15, 0.25),
        ("clicks", "inits", 1, 2),
        ("images", "clicks", 0.01, 0.1),
        ("redirects", "clicks", 0.005, 0.1),
        ("removed", "added", 0.05, 0.25),
        ("checkouts", "inits", 0.02, 0.04),
        (("checkouts", "mobile"), ("inits", "mobile"), 0.01, 0.03),
        (("checkouts", "desktop"), ("inits", "desktop"), 0.03, 0.06),
        (("inits", DAYS - 1), "inits", 0.0001, 0.02),
        (("inits", 0), "inits", 0.005, 0.011),
    ],
)
def test_share_is_believable(totals: "Counter[Any]", part: Any, whole: Any, least: float, most: float) -> None:
    assert least < totals[part] / totals[whole] < most


def test_sale_has_the_most_visitors(totals: "Counter[Any]") -> None:
    days = [totals["inits", number] for number in range(DAYS)]

    assert max(days) == days[SALE] > 1.5 * sorted(days)[-2]
    assert sum(days[:30]) < 0.9 * sum(days[-31:-1])


def test_no_event_is_in_the_future(counts: Counts) -> None:
    for of_day, counted in counts:
        hours = {hour for _, _, hour in counted.totals.counts}
        assert of_day.day >= FIRST_DAY
        assert max(hours) <= hour_of(NOW)


def test_some_carts_are_abandoned(counts: Counts) -> None:
    net: Counter[tuple[int, str]] = Counter()
    sold: set[Any] = set()
    for _, counted in counts:
        for use, (items, _) in counted.details.of("expiring").items():
            assert isinstance(use, Use)
            net[use.hour, use.id] += int(items)
        sold |= counted.details.of("sales").keys()
    abandoned = sum(items > 0 for items in net.values())

    assert min(net.values()) >= 0
    assert 1 < abandoned / len(sold) < 5


def test_every_query_finds_products(products: list[Product]) -> None:
    assert all(demo_events.matching(query, products) for query in QUERIES)

"""Reading a shop's statistics: all reports of a period from one reading of the table."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from cartctl.connection import Deployment
from cartctl.statistics import Statistics
from serverless_cart.domain.statistics_period import parse_zone
from serverless_cart.domain.statistics_reports import REPORTS, Selection
from serverless_cart.dynamodb.statistics import StatisticsStore
from serverless_cart.service.statistics import StatisticsService

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from serverless_cart.domain.statistics import Details, Kind, Totals


def statistics_service(deployment: Deployment, clock: "Callable[[], int]") -> StatisticsService:
    """Return the service that reads a deployment's statistics; ``clock`` returns milliseconds since 1970."""
    store = _ReadOnce(StatisticsStore(deployment.table))
    return StatisticsService(store, clock, deployment.limits.session_item_lifetime)


def read_statistics(service: StatisticsService, selection: Selection, currency: str, zone: str) -> Statistics:
    """Read all reports. ``zone`` is the name of the period's time zone. Raises `Unavailable`."""
    reports = {name: service.report(name, selection) for name in REPORTS}
    at = parse_zone(zone)
    days = [datetime.fromtimestamp(it / 1000, at).date().isoformat() for it in selection.period.timestamps]
    return Statistics(
        shop=selection.shop,
        currency=currency,
        zone=zone,
        device=selection.device,
        engines=list(selection.engines),
        days=days,
        reports={name: report.rows for name, report in reports.items()},
        sold_value=reports["sales"].total_amount or Decimal(0),
    )


@dataclass
class _ReadOnce:
    """The store, which reads equal periods once: each report asks for its own part of them."""

    store: StatisticsStore
    known_totals: "dict[tuple[str, int, int], Totals]" = field(default_factory=dict)
    known_details: "dict[tuple[str, int, int], list[Details]]" = field(default_factory=dict)

    def totals(self, hashid: str, first: int, last: int) -> "Totals":
        key = (hashid, first, last)
        if key not in self.known_totals:
            self.known_totals[key] = self.store.totals(*key)
        return self.known_totals[key]

    def shop_totals(self, shop: str, first: int, last: int) -> "Totals":
        return self.store.shop_totals(shop, first, last)

    def details(self, hashid: str, first: int, last: int, _kinds: "Collection[Kind]") -> "Iterator[Details]":
        key = (hashid, first, last)
        if key not in self.known_details:
            self.known_details[key] = list(self.store.details(*key))
        yield from self.known_details[key]

"""The reports of the statistics: one function for each, from figures to rows (contract: Statistics).

The period, the device and the other parameters of a `Selection` decide what is counted. Sessions and users of several
search engines are the same if their ids are.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, NamedTuple, Protocol, TypeVar, cast

from serverless_cart.domain.limits import SESSION_ITEM_PRICE_DECIMALS
from serverless_cart.domain.session import Device, ItemKey
from serverless_cart.domain.statistics import (
    HOUR,
    Amounts,
    CartItemUse,
    Click,
    Details,
    Figure,
    Kind,
    Totals,
    Use,
    dfid_md5,
)
from serverless_cart.domain.statistics_period import Period

Row = dict[str, object]
"""One result of a report, by the names of the contract. Amounts of money are `Decimal`."""


class Dfid(NamedTuple):
    """The id of an item: search engine, index and the MD5 digest of the item's id. Both digests are in lower case."""

    hashid: str
    index_name: str
    md5: str

    def __str__(self) -> str:
        """Write the dfid as the storefront sends it."""
        return "@".join(self)


@dataclass(frozen=True, slots=True)
class Selection:
    """The subject of a report. ``engines`` are hashids in lower case; in the other fields, ``None`` selects all.

    With ``aggregate``, all engines are reported together, otherwise each separately. ``limit`` is the number of rows
    that are not days.
    """

    period: Period
    engines: tuple[str, ...]
    shop: str = ""
    device: Device | None = None
    aggregate: bool = True
    limit: int = 100
    dfid: Dfid | None = None
    query: str | None = None
    id: str | None = None


class Figures(Protocol):
    """The figures of the selected search engines. Each method reads what it returns."""

    def totals(self) -> Totals:
        """Return the totals of the period's days."""
        ...

    def shop_totals(self) -> Totals:
        """Return the totals of the shop itself."""
        ...

    def details(self, *kinds: Kind) -> Iterable[tuple[str, Details]]:
        """Return details of these kinds, with the hashid of their engine, in the order of days."""
        ...

    def expiring(self) -> Iterable[tuple[str, Details]]:
        """Return the details that can have carts that expire in the period."""
        ...

    def now(self) -> int:
        """Return the time in milliseconds since 1970."""
        ...


Report = Callable[[Figures, Selection], list[Row]]
_K = TypeVar("_K", str, Dfid, tuple[Dfid, int])


# ----------------------------------------------------------------------------------------------------------------------
# Sessions
# ----------------------------------------------------------------------------------------------------------------------


def inits(figures: Figures, selection: Selection) -> list[Row]:
    """Count the sessions that began on each day."""
    return _counts_by_day(figures, selection, "inits")


def inits_users(figures: Figures, selection: Selection) -> list[Row]:
    """Count distinct users, sessions with a user, and all sessions."""
    totals = figures.totals()
    return [{
        "users": _distinct(figures, selection, "init_users"),
        "sessions": _sum(totals, selection, "identified_inits"),
        "unique_sessions": _sum(totals, selection, "inits"),
    }]  # fmt: skip


def checkouts(figures: Figures, selection: Selection) -> list[Row]:
    """Count the checkouts of each day."""
    return _counts_by_day(figures, selection, "checkouts")


# ----------------------------------------------------------------------------------------------------------------------
# Clicks
# ----------------------------------------------------------------------------------------------------------------------


def clicks(figures: Figures, selection: Selection) -> list[Row]:
    """Count the clicks on items of each day."""
    return _counts_by_day(figures, selection, "clicks")


def clicks_users(figures: Figures, selection: Selection) -> list[Row]:
    """Count distinct users who clicked on items, clicks on items and banners, and clicks on items."""
    totals = figures.totals()
    product_clicks = _sum(totals, selection, "clicks")
    return [{
        "users": _distinct(figures, selection, "click_users"),
        "clicks": product_clicks + _sum(totals, selection, "images"),
        "product_clicks": product_clicks,
    }]  # fmt: skip


def clicked_items(figures: Figures, selection: Selection) -> list[Row]:
    """Count the clicks on each item, with the newest title that a cart event had."""
    counts: defaultdict[Dfid, int] = defaultdict(int)
    titles = _Titles()
    for hashid, details in figures.details("clicks"):
        titles.add(hashid, details)
        for click, count in _clicks(details, selection):
            counts[Dfid(hashid, click.index_name, click.md5)] += count
    title_of = titles.by_dfid()
    return [
        {"dfid": str(dfid), "title": title_of.get(dfid), "link": None, "count": count} for dfid, count in _most(counts)
    ]


def clicked_items_searches(figures: Figures, selection: Selection) -> list[Row]:
    """Count the clicks on one item after each query."""
    counts: defaultdict[str, int] = defaultdict(int)
    for hashid, details in figures.details("clicks"):
        for click, count in _clicks(details, selection):
            if click.query is not None and _is_selected(hashid, click, selection):
                counts[click.query] += count
    return [{"query": query, "count": count} for query, count in _most(counts)]


def clicked_items_position(figures: Figures, selection: Selection) -> list[Row]:
    """Count the clicks on each item at each position."""
    counts: defaultdict[tuple[Dfid, int], int] = defaultdict(int)
    for hashid, details in figures.details("clicks"):
        for click, count in _clicks(details, selection):
            if click.position is not None and _is_selected(hashid, click, selection):
                counts[Dfid(hashid, click.index_name, click.md5), click.position] += count
    return [{"product": str(dfid), "position": position, "clicks": count} for (dfid, position), count in _most(counts)]


def custom_results(figures: Figures, selection: Selection) -> list[Row]:
    """Count the clicks on items of each custom result."""
    counts: defaultdict[str, int] = defaultdict(int)
    for _, details in figures.details("clicks"):
        for click, count in _clicks(details, selection):
            if click.custom_result is not None and selection.id in {None, click.custom_result}:
                counts[click.custom_result] += count
    return [{"id": id_, "displays": 0, "clicks": count} for id_, count in _most(counts)]


def banners(figures: Figures, selection: Selection) -> list[Row]:
    """Count the clicks on each banner."""
    counts = _counts_by_id(figures, selection, "banners")
    return [{"id": id_, "displays": 0, "clicks": count} for id_, count in counts]


def redirects(figures: Figures, selection: Selection) -> list[Row]:
    """Count how often each redirection was followed."""
    counts = _counts_by_id(figures, selection, "redirects")
    return [{"id": id_, "link": None, "count": count} for id_, count in counts]


# ----------------------------------------------------------------------------------------------------------------------
# Carts and sales
# ----------------------------------------------------------------------------------------------------------------------


def carts(figures: Figures, selection: Selection) -> list[Row]:
    """Count pieces added and removed, and the distinct sessions that added some, on each day."""
    totals, period = figures.totals(), selection.period
    added = _by_day(totals, selection, "added")
    removed = _by_day(totals, selection, "removed")
    sessions: dict[int, set[str]] = {timestamp: set() for timestamp in period.timestamps}
    for _, details in figures.details("cart_sessions"):
        for use, _ in _uses(details, selection, "cart_sessions"):
            sessions[period.timestamp(use.hour)].add(use.id)
    return [
        {
            "timestamp": timestamp,
            "added": added[timestamp],
            "removed": removed[timestamp],
            "sessions": len(sessions[timestamp]),
        }
        for timestamp in period.timestamps
    ]


def cart_items(figures: Figures, selection: Selection) -> list[Row]:
    """Count the pieces of each item that were added, removed and sold, with the newest title."""
    counts: dict[ItemKey, tuple[int, int, int]] = {}
    titles: dict[ItemKey, str] = {}
    for _, details in figures.details("items"):
        titles |= details.titles
        for use, (added, removed, sold, _) in _items(details, selection):
            item = ItemKey(use.index_name, use.id)
            before = counts.get(item, (0, 0, 0))
            counts[item] = (before[0] + int(added), before[1] + int(removed), before[2] + int(sold))
    most = sorted(counts.items(), key=lambda of: (*(-n for n in of[1]), of[0].index, of[0].id))
    return [
        {"index": it.index, "id": it.id, "title": titles.get(it), "added": added, "removed": removed, "sold": sold}
        for it, (added, removed, sold) in most
    ]


def abandoned_carts(figures: Figures, selection: Selection) -> list[Row]:
    """Count the sessions of which cart items expired unsold on each day, and the value of these items.

    An hour that has not ended is not counted yet: what expires in it may still change.
    """
    expired: dict[tuple[str, int], tuple[int, Decimal]] = {}
    this_hour = figures.now() // HOUR
    for _, details in figures.expiring():
        for use, (items, value) in _uses(details, selection, "expiring"):
            if use.hour < this_hour:
                known, worth = expired.get((use.id, use.hour), (0, Decimal(0)))
                expired[use.id, use.hour] = (known + int(items), worth + value)
    period = selection.period
    sessions: dict[int, set[str]] = {timestamp: set() for timestamp in period.timestamps}
    amounts = dict.fromkeys(period.timestamps, Decimal(0))
    for (session, hour), (items, value) in expired.items():
        if items > 0:
            timestamp = period.timestamp(hour)
            sessions[timestamp].add(session)
            amounts[timestamp] += value
    return [
        {"timestamp": timestamp, "carts": len(sessions[timestamp]), "amount": amounts[timestamp]}
        for timestamp in period.timestamps
    ]


def sales(figures: Figures, selection: Selection) -> list[Row]:
    """Return the money of each session that bought something, highest first."""
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for _, details in figures.details("sales"):
        for use, (money, _) in _uses(details, selection, "sales"):
            amounts[use.id] += money
    return [
        {"session": session, "amount": amount}
        for session, amount in sorted(amounts.items(), key=lambda of: (-of[1], of[0]))
    ]


def top_sales(figures: Figures, selection: Selection) -> list[Row]:
    """Return the pieces of each item sold, and their average price to 6 decimals, most pieces first."""
    pieces: defaultdict[Dfid, int] = defaultdict(int)
    money: defaultdict[Dfid, Decimal] = defaultdict(Decimal)
    titles = _Titles()
    for hashid, details in figures.details("items"):
        titles.add(hashid, details)
        for use, (_, _, sold, amount) in _items(details, selection):
            if sold:
                dfid = Dfid(hashid, use.index_name, dfid_md5(use.id))
                pieces[dfid] += int(sold)
                money[dfid] += amount
    title_of = titles.by_dfid()
    return [
        {
            "dfid": str(dfid),
            "title": title_of.get(dfid),
            "sum_amount": count,
            "avg_price": round(money[dfid] / count, SESSION_ITEM_PRICE_DECIMALS),
        }
        for dfid, count in _most(pieces)
    ]


def orders(figures: Figures, selection: Selection) -> list[Row]:
    """Count the shop's orders of each day, and add up their totals in minor units. An order has no device."""
    totals, selection = figures.shop_totals(), replace(selection, device=None)
    counts = _by_day(totals, selection, "orders")
    money = _by_day(totals, selection, "order_total")
    return [
        {"timestamp": timestamp, "count": counts[timestamp], "total": money[timestamp]}
        for timestamp in selection.period.timestamps
    ]


REPORTS: Final[Mapping[str, Report]] = {
    "inits": inits,
    "inits/users": inits_users,
    "clicks": clicks,
    "clicks/users": clicks_users,
    "clicked_items": clicked_items,
    "clicked_items/searches": clicked_items_searches,
    "clicked_items/position": clicked_items_position,
    "banners": banners,
    "custom-results": custom_results,
    "redirects": redirects,
    "checkouts": checkouts,
    "sales": sales,
    "top-sales": top_sales,
    "carts": carts,
    "carts/items": cart_items,
    "carts/abandoned": abandoned_carts,
    "orders": orders,
}
"""The reports, by the names of their routes. Each returns all of its rows."""
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "inits": ("timestamp", "count"),
    "inits/users": ("users", "sessions", "unique_sessions"),
    "clicks": ("timestamp", "count"),
    "clicks/users": ("users", "clicks", "product_clicks"),
    "clicked_items": ("dfid", "title", "link", "count"),
    "clicked_items/searches": ("query", "count"),
    "clicked_items/position": ("product", "position", "clicks"),
    "banners": ("id", "displays", "clicks"),
    "custom-results": ("id", "displays", "clicks"),
    "redirects": ("id", "link", "count"),
    "checkouts": ("timestamp", "count"),
    "sales": ("session", "amount"),
    "top-sales": ("dfid", "title", "sum_amount", "avg_price"),
    "carts": ("timestamp", "added", "removed", "sessions"),
    "carts/items": ("index", "id", "title", "added", "removed", "sold"),
    "carts/abandoned": ("timestamp", "carts", "amount"),
    "orders": ("timestamp", "count", "total"),
}
"""The names in a row of each report."""
DAILY: Final = frozenset({"inits", "clicks", "checkouts", "carts", "carts/abandoned", "orders"})
"""The reports that have one row for each day."""


# ----------------------------------------------------------------------------------------------------------------------
# Sums
# ----------------------------------------------------------------------------------------------------------------------


class _Titles:
    """The newest titles of cart items, by dfid."""

    def __init__(self) -> None:
        self._titles: dict[tuple[str, ItemKey], str] = {}

    def add(self, hashid: str, details: Details) -> None:
        self._titles |= {(hashid, item): title for item, title in details.titles.items()}

    def by_dfid(self) -> dict[Dfid, str]:
        return {Dfid(hashid, it.index, dfid_md5(it.id)): title for (hashid, it), title in self._titles.items()}


def _by_day(totals: Totals, selection: Selection, figure: Figure) -> dict[int, int]:
    days = dict.fromkeys(selection.period.timestamps, 0)
    for (of, device, hour), count in totals.counts.items():
        if of == figure and hour in selection.period and selection.device in {None, device}:
            days[selection.period.timestamp(hour)] += count
    return days


def _counts_by_day(figures: Figures, selection: Selection, figure: Figure) -> list[Row]:
    days = _by_day(figures.totals(), selection, figure)
    return [{"timestamp": timestamp, "count": count} for timestamp, count in days.items()]


def _sum(totals: Totals, selection: Selection, figure: Figure) -> int:
    return sum(_by_day(totals, selection, figure).values())


def _distinct(figures: Figures, selection: Selection, kind: Kind) -> int:
    return len({use.id for _, details in figures.details(kind) for use, _ in _uses(details, selection, kind)})


def _counts_by_id(figures: Figures, selection: Selection, kind: Kind) -> list[tuple[str, int]]:
    counts: defaultdict[str, int] = defaultdict(int)
    for _, details in figures.details(kind):
        for use, (count,) in _uses(details, selection, kind):
            if selection.id in {None, use.id}:
                counts[use.id] += int(count)
    return _most(counts)


def _most(counts: Mapping[_K, int]) -> list[tuple[_K, int]]:
    """Sort counts, highest first; equal ones are in the order of their keys."""
    return sorted(counts.items(), key=lambda of: (-of[1], of[0]))


def _uses(details: Details, selection: Selection, kind: Kind) -> Iterator[tuple[Use, Amounts]]:
    for key, amounts in details.of(kind).items():
        if key.hour in selection.period and selection.device in {None, key.device}:
            yield cast("Use", key), amounts


def _items(details: Details, selection: Selection) -> Iterator[tuple[CartItemUse, Amounts]]:
    for key, amounts in details.of("items").items():
        if key.hour in selection.period and selection.device in {None, key.device}:
            yield cast("CartItemUse", key), amounts


def _clicks(details: Details, selection: Selection) -> Iterator[tuple[Click, int]]:
    for key, (count,) in details.of("clicks").items():
        if key.hour in selection.period and selection.device in {None, key.device}:
            click = cast("Click", key)
            if selection.query in {None, click.query}:
                yield click, int(count)


def _is_selected(hashid: str, click: Click, selection: Selection) -> bool:
    return selection.dfid in {None, Dfid(hashid, click.index_name, click.md5)}

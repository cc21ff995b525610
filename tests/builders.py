"""What tests begin with: events as API Gateway sends them, products, readings, carts and principals."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from storefront.domain.cart import Cart, Item, Owner
from storefront.domain.product import Product, Reading
from storefront.tokens import Principal
from storefront.web.request import Request

ROOT = Path(__file__).parents[1]
EVENTS = ROOT / "events"

HASHID = "d8fdeab7fce96a19d3fc7b0ca7a1e98b"
SESSION = "4affa6a1c5b94b3a"
SHOP = "demo"
OWNER = Owner(SHOP, "customer-1")
NOW = 1_763_728_496_789
"""Milliseconds: Friday 2025-11-21T12:34:56.789Z, the moment of the events."""

SECOND = 1000
HOUR = 3600 * SECOND
DAY = 24 * HOUR

Event = dict[str, Any]


def load(name: str) -> Event:
    """Load an event of events/, ``stats_cart/patch`` for example."""
    event: Event = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def altered(event: Event, **changes: Any) -> Event:
    """Return a copy of a proxy event with some of its parts changed.

    ``body`` is written as JSON unless it is text already; ``query``, ``headers`` and ``path`` give names their values
    (``path`` of the path parameters); ``authorizer`` joins the context's values, ``None`` removes the context;
    ``address`` is the client's; ``method`` the request's.
    """
    event = copy.deepcopy(event)
    context = event["requestContext"]
    for name, value in changes.items():
        match name:
            case "body":
                event |= {"body": value if value is None or isinstance(value, str) else json.dumps(value)}
                event |= {"isBase64Encoded": False}
            case "query":
                event["multiValueQueryStringParameters"] = {key: [str(text)] for key, text in value.items()} or None
                event["queryStringParameters"] = {key: str(text) for key, text in value.items()} or None
            case "headers":
                event["headers"] = {**(event["headers"] or {}), **value}
                event["multiValueHeaders"] = {key: [text] for key, text in event["headers"].items()}
            case "path":
                event["pathParameters"] = {**event["pathParameters"], **value}
            case "authorizer":
                context["authorizer"] = None if value is None else {**context["authorizer"], **value}
            case "address":
                context["identity"]["sourceIp"] = value
            case "method":
                event["httpMethod"] = context["httpMethod"] = value
            case _:
                raise AssertionError(name)
    return event


def principal(**changes: Any) -> Principal:
    """Return the principal that comes with the events of stats_cart, or one that differs."""
    settings: dict[str, Any] = {
        "kind": "api_key",
        "shop": SHOP,
        "customer": "",
        "search_engines": frozenset({HASHID}),
        "blocked_networks": frozenset(),
        "allowed_origins": frozenset(),
    }
    return Principal(**settings | changes)


def request(event: Event, **changes: Any) -> Request:
    """Read an event, changed as `altered` does."""
    event = altered(event, **changes)
    known = Principal.from_context(event["requestContext"]["authorizer"])
    assert known
    return Request.from_event(event, known, lambda: 20.0)


def product(id: int = 123, **changes: Any) -> Product:  # noqa: A002 - the field's own name
    """Return the product of the seed request, or one that differs."""
    settings: dict[str, Any] = {
        "ref": f"REF-{id}",
        "name": f"Product {id}",
        "image": f"https://img.example/{id}.jpg",
        "price": 1250,
        "discount": 250,
        "stock": 50,
        "active": True,
    }
    return Product(id=id, **settings | changes)


def reading(of: Product, at: int = NOW) -> Reading:
    """Return a reading of the catalogue."""
    return Reading(of, at)


def item(of: Product, quantity: int = 1, **changes: Any) -> Item:
    """Return a line of a cart."""
    settings: dict[str, Any] = {"notes": "", "added_at": NOW, "updated_at": NOW, "reading": reading(of)}
    return Item(product_id=of.id, quantity=quantity, **settings | changes)


def cart(*items: Item, **changes: Any) -> Cart:
    """Return a cart that holds these lines."""
    settings: dict[str, Any] = {"version": 7, "created_at": NOW, "updated_at": NOW}
    return Cart(items={line.product_id: line for line in items}, **settings | changes)


def without(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a copy that lacks some of its names."""
    return {name: value for name, value in mapping.items() if name not in names}

"""Requests of one customer to the functions of the Shop API in this process, and readings of their answers."""

from typing import Any

from serverless_cart.domain.public_ids import item_id
from tests.support.builders import OWNER
from tests.support.bundle import Answer, Bundle
from tools.support.events import altered, load

Headers = dict[str, str]


def once(key: str = "k") -> Headers:
    """Return the headers of a request with an idempotency key."""
    return {"Idempotency-Key": key}


def add(bundle: Bundle, product: Any = 123, headers: Headers | None = None, **more: Any) -> Answer:
    event = altered(load("cart_items/post"), body={"product": product, **more}, headers=headers or {})
    return bundle.send("cart_items", event)


def read(bundle: Bundle, **headers: str) -> Answer:
    """Read the cart; headers are spelled with ``_``."""
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    return bundle.send("cart", altered(load("cart/get"), headers=spelled))


def select(bundle: Bundle, headers: Headers | None = None, **selections: Any) -> Answer:
    return bundle.send("cart", altered(load("cart/patch"), body=selections, headers=headers or {}))


def clear(bundle: Bundle, headers: Headers | None = None) -> Answer:
    return bundle.send("cart", altered(load("cart/delete"), headers=headers or {}))


def apply_discount(bundle: Bundle, code: Any, headers: Headers | None = None) -> Answer:
    return bundle.send("cart", altered(load("cart/discount_put"), body={"code": code}, headers=headers or {}))


def remove_discount(bundle: Bundle, headers: Headers | None = None) -> Answer:
    return bundle.send("cart", altered(load("cart/discount_delete"), headers=headers or {}))


def update_item(bundle: Bundle, product: int = 123, headers: Headers | None = None, **body: Any) -> Answer:
    path = {"id": str(item_id(OWNER, product))}
    return bundle.send("cart_items", altered(load("cart_items/patch"), path=path, body=body, headers=headers or {}))


def remove(bundle: Bundle, product: int = 123, headers: Headers | None = None) -> Answer:
    path = {"id": str(item_id(OWNER, product))}
    return bundle.send("cart_items", altered(load("cart_items/delete"), path=path, headers=headers or {}))


def check_out(bundle: Bundle, headers: Headers | None = None, **body: Any) -> Answer:
    return bundle.send("checkout", altered(load("checkout/post"), body=body, headers=headers or {}))


CHANGES: dict[str, Any] = {
    "add": lambda bundle, headers=None: add(bundle, headers=headers),
    "update quantity": lambda bundle, headers=None: update_item(bundle, quantity=5, headers=headers),
    "update notes": lambda bundle, headers=None: update_item(bundle, notes="red", headers=headers),
    "remove": lambda bundle, headers=None: remove(bundle, headers=headers),
    "select": lambda bundle, headers=None: select(bundle, address=4, headers=headers),
    "clear": lambda bundle, headers=None: clear(bundle, headers=headers),
}
"""Every kind of change, of product 123 where it is about one."""
CALLS = {
    "add": ["BatchGetItem", "UpdateItem"],
    "update quantity": ["GetItem", "BatchGetItem", "UpdateItem"],
    "update notes": ["GetItem", "UpdateItem"],
    "remove": ["GetItem", "UpdateItem"],
    "select": ["GetItem", "UpdateItem"],
    "clear": ["GetItem", "UpdateItem"],
}
"""The calls of each: one write and the fewest reads."""


def is_refusal(answer: Answer, status: int, error: str, field: str | None = None) -> bool:
    """Return whether an answer is this refusal, with details of only this field."""
    given = (answer.status, answer.body["error"], list(answer.body.get("details", {})))
    return given == (status, error, [field] if field else [])


def is_replay(answer: Answer) -> bool:
    """Return whether an answer says that its request had been applied before."""
    assert answer.headers.get("Idempotency-Replayed") in (None, "true")
    return answer.status == 200 and "Idempotency-Replayed" in answer.headers


def version(answer: Answer) -> int:
    """Return the version in an answer's entity tag."""
    return int(answer.headers["ETag"].strip('"').split("-")[0])


def quantities(answer: Answer) -> dict[int, int]:
    """Return the quantities of a cart, by product."""
    return {line["product"]["id"]: line["quantity"] for line in answer.body["items"]}


def warnings(answer: Answer) -> list[tuple[str, int | None]]:
    """Return the code and the item of each warning."""
    return [(warning["code"], warning["item"]) for warning in answer.body["warnings"]]

"""What a customer asks of the Shop API, in short, and what the answers say."""

from typing import Any

from serverless_cart.domain.public_ids import item_id
from tests.builders import OWNER
from tests.integration.conftest import Answer, Bundle
from tools.support.events import altered, load

Headers = dict[str, str]


def add(bundle: Bundle, product: int = 123, headers: Headers | None = None, **more: Any) -> Answer:
    """Add to the cart."""
    event = altered(load("cart_items/post"), body={"product": product, **more}, headers=headers or {})
    return bundle.send("cart_items", event)


def read(bundle: Bundle, **headers: str) -> Answer:
    """Ask for the cart; headers are spelled with ``_``."""
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    return bundle.send("cart", altered(load("cart/get"), headers=spelled))


def select(bundle: Bundle, headers: Headers | None = None, **selections: Any) -> Answer:
    """Select for the cart."""
    return bundle.send("cart", altered(load("cart/patch"), body=selections, headers=headers or {}))


def clear(bundle: Bundle, headers: Headers | None = None) -> Answer:
    """Empty the cart."""
    return bundle.send("cart", altered(load("cart/delete"), headers=headers or {}))


def update_item(bundle: Bundle, product: int = 123, headers: Headers | None = None, **body: Any) -> Answer:
    """Revise the item of a product."""
    path = {"id": str(item_id(OWNER, product))}
    return bundle.send(
        "cart_items", altered(load("cart_items/patch_both"), path=path, body=body, headers=headers or {})
    )


def remove(bundle: Bundle, product: int = 123, headers: Headers | None = None) -> Answer:
    """Remove the item of a product."""
    path = {"id": str(item_id(OWNER, product))}
    return bundle.send("cart_items", altered(load("cart_items/delete"), path=path, headers=headers or {}))


CHANGES: dict[str, Any] = {
    "add": lambda bundle, headers=None: add(bundle, headers=headers),
    "revise quantity": lambda bundle, headers=None: update_item(bundle, quantity=5, headers=headers),
    "revise notes": lambda bundle, headers=None: update_item(bundle, notes="red", headers=headers),
    "remove": lambda bundle, headers=None: remove(bundle, headers=headers),
    "select": lambda bundle, headers=None: select(bundle, address=4, headers=headers),
    "clear": lambda bundle, headers=None: clear(bundle, headers=headers),
}
"""Every kind of change, of product 123 where it is about one."""
CALLS = {
    "add": ["BatchGetItem", "UpdateItem"],
    "revise quantity": ["GetItem", "BatchGetItem", "UpdateItem"],
    "revise notes": ["GetItem", "UpdateItem"],
    "remove": ["GetItem", "UpdateItem"],
    "select": ["GetItem", "UpdateItem"],
    "clear": ["GetItem", "UpdateItem"],
}
"""What each costs: one write, and as few reads as can tell."""


def refused(answer: Answer, status: int, error: str, field: str | None = None) -> bool:
    """Tell whether an answer is this refusal, with details of this field alone."""
    told = (answer.status, answer.body["error"], list(answer.body.get("details", {})))
    return told == (status, error, [field] if field else [])


def version(answer: Answer) -> int:
    """Return the version that an answer's tag names."""
    return int(answer.headers["ETag"].strip('"').split("-")[0])


def quantities(answer: Answer) -> dict[int, int]:
    """Return the quantities of a cart, by product."""
    return {line["product"]["id"]: line["quantity"] for line in answer.body["items"]}

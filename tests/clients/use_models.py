"""A shop that uses the client that openapi-python-client makes of docs/openapi.yaml; it prints what it saw as JSON.

This runs in the virtual environment of that generator, with the generated package on its path.
"""
# mypy: disable-error-code="import-not-found"

import json
import sys
from typing import Any, get_type_hints

from serverless_cart_client import AuthenticatedClient, models
from serverless_cart_client.api.cart import add_to_cart, read_item, remove_item, revise_item
from serverless_cart_client.api.orders import cancel_order, check_out, list_orders, read_order
from serverless_cart_client.api.session_events import add_to_session_cart

shop_url, token, product, search_url, api_key, hashid = sys.argv[1:]


def client(url: str, credential: str) -> AuthenticatedClient:
    """Return a client that sends this credential."""
    return AuthenticatedClient(base_url=url, token=credential, prefix="Token")


def named(answer: Any) -> list[object]:
    """Return the model of an answer, and its error."""
    return [type(answer).__name__, getattr(answer, "error", None)]


shop, search = client(shop_url, token), client(search_url, api_key)
added: Any = add_to_cart.sync(client=shop, body=models.AddCartItem(product=int(product), quantity=2))
item = added.items[0].id
noted: Any = revise_item.sync(item, client=shop, body=models.UpdateCartItem(notes="gift"))
refused: Any = add_to_cart.sync(client=shop, body=models.AddCartItem(product=999_999_999))
removed: Any = remove_item.sync(item, client=shop)
gone = read_item.sync(item, client=shop)
stranger = read_item.sync(item, client=client(shop_url, "0" * 43))
add_to_cart.sync(client=shop, body=models.AddCartItem(product=int(product)))
review: Any = check_out.sync(client=shop, body=models.CheckOut(total=1))
placed: Any = check_out.sync(client=shop, body=models.CheckOut())
read: Any = read_order.sync(placed.order_key, client=shop)
listed: Any = list_orders.sync(client=shop)
cancelled: Any = cancel_order.sync(placed.order_key, client=shop)
again: Any = cancel_order.sync(placed.order_key, client=shop)
event = models.AddSessionItem(id="1", index="product", title="Mug")
registered = add_to_session_cart.sync(hashid, "visitor", client=search, body=event)
lacking = add_to_session_cart.sync(hashid, "visitor", client=search)
seen = [
    [*named(added), added.quantity, added.currency],
    [*named(noted), noted.items[0].notes],
    [*named(refused), list(refused.details.to_dict())],
    [*named(removed), removed.count],
    named(gone),
    named(stranger),
    [*named(review), review.details.warnings],
    named(placed),
    [*named(read), read.status, read.items[0].quantity],
    [*named(listed), listed.count],
    [*named(cancelled), cancelled.status],
    named(again),
    named(registered),
    named(lacking),
    str(get_type_hints(models.InsufficientStockDetails)["quantity"]),
]
sys.stdout.write(json.dumps(seen))

"""The document of the API page, with examples that Swagger UI can send as they are.

Swagger UI fills each example into its form, also those of optional parameters. So optional parameters get none.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import getitem
from typing import Any, Final

from local.demo_terms import INVOICE, PICK_UP
from local.stack import Stack
from tools.api_page_customer import CUSTOMER, PageCustomer

Document = dict[str, Any]

DAYS: Final = 90
NEW_CUSTOMER: Final = "api-page-visitor"
"""The customer whose tokens the page issues and revokes: no one else uses them."""
DISCOUNT_CODE: Final = "WELCOME"
JSON: Final = "application/json"


def shown(document: Document) -> Document:
    """Return a document whose examples of optional parameters are in their descriptions, and references resolved."""
    separate: Document = json.loads(json.dumps(document))  # YAML's aliases become separate objects
    for _, _, operation in operations(separate):
        operation["parameters"] = [_shown(_resolved(separate, it)) for it in operation.get("parameters", [])]
    return separate


def filled(document: Document, stack: Stack, shop_server: str, customer: PageCustomer) -> Document:
    """Return a document of `shown` with the addresses and values of a local cloud."""
    example = document["components"]["parameters"]["Hashid"]["example"]
    copy: Document = json.loads(json.dumps(document).replace(example, stack.hashid))
    for path, methods in copy["paths"].items():
        methods["servers"] = [_server(path, stack, shop_server)]
    for _, path, operation in operations(copy):
        name = operation["operationId"]
        required = _values(customer) | _exceptions(customer).get(name, {})
        # An event that is sent with GET has no body: its fields are in the query string.
        event = _first(copy["paths"][path]["put"]["requestBody"]) if name.endswith("ByGet") else {}
        for parameter in operation["parameters"]:
            values = required if parameter.get("required") else event
            if parameter["name"] in values:
                parameter["example"] = values[parameter["name"]]
        if body := _bodies(customer).get(name):
            examples = {"demo": {"summary": "For the demo shop", "value": body}}
            operation["requestBody"]["content"][JSON]["examples"] = examples
    return copy


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Yield method, path and operation."""
    for path, methods in document["paths"].items():
        yield from ((method, path, operation) for method, operation in methods.items() if method != "servers")


def servers(document: Document) -> set[str]:
    """Return the addresses of all servers."""
    return {server["url"] for methods in document["paths"].values() for server in methods["servers"]}


def _resolved(document: Document, node: Document) -> Document:
    target = reduce(getitem, node["$ref"].removeprefix("#/").split("/"), document) if "$ref" in node else node
    return dict(target)


def _shown(parameter: Document) -> Document:
    if parameter.get("required"):
        return parameter
    examples = [it["value"] for it in parameter.pop("examples", {}).values()]
    examples += [parameter.pop("example")] if "example" in parameter else []
    if examples:
        texts = (it if isinstance(it, str) else json.dumps(it) for it in examples)
        listed = ", ".join(f"`{text}`" for text in texts)
        parameter["description"] = f"{parameter['description'].rstrip()}\n\nExample: {listed}"
    return parameter


def _server(path: str, stack: Stack, shop_server: str) -> Mapping[str, str]:
    if path.startswith("/6/"):
        return {"url": stack.search_url, "description": "The Search API of the local cloud"}
    if path.startswith("/api/shop/"):
        return {"url": stack.shop_url, "description": "The Shop API of the local cloud"}
    if shop_server:
        passes = "The demo shop's server, which passes the request on to the Management API of the local cloud"
        return {"url": shop_server, "description": passes}
    return {"url": stack.management_url, "description": "The Management API of the local cloud"}


def _values(customer: PageCustomer) -> dict[str, object]:
    today = datetime.now(UTC)
    return {
        "id": customer.item,
        "key": customer.orders[0],
        "customer": NEW_CUSTOMER,
        "from": f"{today - timedelta(days=DAYS):%Y%m%d}",
        "to": f"{today:%Y%m%d}",
    }


def _exceptions(customer: PageCustomer) -> Mapping[str, dict[str, object]]:
    return {"readCustomerCart": {"customer": CUSTOMER}, "changeOrder": {"key": customer.orders[1]}}


def _bodies(customer: PageCustomer) -> Mapping[str, dict[str, object]]:
    return {
        "addToCart": {"product": customer.product, "quantity": 2, "notes": "Please pack carefully"},
        "applyDiscountCode": {"code": DISCOUNT_CODE},
        "mergeGuestCart": {"token": customer.guest_token},
        "checkOut": {"shipping_method": PICK_UP, "payment_method": INVOICE},
        "changeOrder": {"status": "processing"},
    }


def _first(body: Document) -> dict[str, object]:
    first: dict[str, object] = next(iter(body["content"][JSON]["examples"].values()))["value"]
    return first

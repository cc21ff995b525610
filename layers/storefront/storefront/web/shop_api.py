"""The Shop API: its requests in, its cart out (contract: Shop API)."""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from storefront.domain import limits
from storefront.domain.cart import Addition, Owner, PricedCart, PricedItem, Revision
from storefront.domain.errors import CartChanged, InvalidRequest, ItemNotFound, Refusal
from storefront.domain.identity import cart_id, item_id
from storefront.service.cart import Outcome, Terms
from storefront.service.port import UsedKey
from storefront.web import errors
from storefront.web.edge import Api
from storefront.web.request import NotJson, Request
from storefront.web.response import Response, to_json

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
NOT_AN_OBJECT: Final = "must be a JSON object"
NO_ITEM: Final = -1
"""An id that no item has."""

_VISIBLE: Final = re.compile(rf"[!-~]{{1,{limits.IDEMPOTENCY_KEY_LENGTH}}}")
_DIGITS: Final = 20
_QUOTED: Final = re.compile(r'"[^"]*"')
_EPOCH: Final = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)
_ITEM_ID: Final = re.compile(r"[0-9]{1,16}")

Body = TypeVar("Body", bound=BaseModel)

_ENTITY_TAG: Final = re.compile(r'"([0-9]{1,16})-[0-9a-f]*"')


class AddItem(BaseModel):
    """The body of POST /api/shop/cart/items. A string, a fraction, a boolean and null are no integers here."""

    model_config = ConfigDict(strict=True)

    product: int
    quantity: Annotated[int, Field(ge=1, le=limits.ITEM_QUANTITY)] = 1
    notes: Annotated[str, Field(max_length=limits.NOTES_LENGTH)] = ""


class ReviseItem(BaseModel):
    """The body of PATCH /api/shop/cart/items/{id}: at least one of the two."""

    model_config = ConfigDict(strict=True)

    quantity: Annotated[int, Field(ge=1, le=limits.ITEM_QUANTITY)] = 1
    notes: Annotated[str, Field(max_length=limits.NOTES_LENGTH)] = ""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_to_change", "quantity or notes is required")
        return self


Selection = Annotated[int, Field(ge=0, le=limits.LARGEST_INTEGER)] | None


class SelectForCart(BaseModel):
    """The body of PATCH /api/shop/cart: null clears a selection, an absent field leaves it."""

    model_config = ConfigDict(strict=True)

    address: Selection = None
    shipping_method: Selection = None
    payment_method: Selection = None


class NoBody(BaseModel):
    """The body of a route that takes none: whatever comes is not read."""


def _headers(refusal: Refusal) -> dict[str, str]:
    """Tag the cart that stands where a request named another version of it."""
    return (
        {"ETag": _entity_tag(refusal.current, cart_json(refusal.current))} if isinstance(refusal, CartChanged) else {}
    )


API: Final = Api(kind="customer", errors=errors.SHOP, headers=_headers)


def owner_of(request: Request) -> Owner:
    """Return whose cart a request is about: the signed-in customer's."""
    return Owner(request.principal.shop, request.principal.customer)


def addition_of(request: Request) -> tuple[Addition, Terms]:
    """Read what to add and on what terms. Raises `InvalidRequest`, with all that is wrong at once."""
    body, terms = _read(request, AddItem)
    return Addition(body.product, body.quantity, body.notes if "notes" in body.model_fields_set else None), terms


def revision_of(request: Request) -> tuple[Revision, Terms]:
    """Read what to change of an item and on what terms. Raises `InvalidRequest`."""
    body, terms = _read(request, ReviseItem)
    given = body.model_fields_set
    return Revision(
        quantity=body.quantity if "quantity" in given else None, notes=body.notes if "notes" in given else None
    ), terms


def selections_of(request: Request) -> tuple[dict[str, int | None], Terms]:
    """Read what to select and on what terms. Raises `InvalidRequest`."""
    body, terms = _read(request, SelectForCart)
    return body.model_dump(exclude_unset=True), terms


def terms_of(request: Request) -> Terms:
    """Read the terms of a request that has nothing else to say. Raises `InvalidRequest`."""
    return _read(request, NoBody)[1]


def item_of(request: Request) -> int:
    """Read which item a request is about.

    What is no integer is no item's id, which is for the cart to find: a remembered key comes first (contract: Order).
    """
    item = request.path["id"]
    return int(item) if _ITEM_ID.fullmatch(item) else NO_ITEM


def cart_answer(outcome: Outcome) -> Response:
    """Answer with the whole priced cart."""
    return _answer(outcome, cart_json(outcome.cart))


def item_answer(outcome: Outcome, item: int) -> Response:
    """Answer with one item. Raises `ItemNotFound` where it is gone, as it may be when a request is replayed."""
    for priced in outcome.cart.items:
        body = _item(outcome.cart.owner, priced)
        if body["id"] == item:
            return _answer(outcome, to_json(body))
    raise ItemNotFound


def unless_known(request: Request, response: Response) -> Response:
    """Answer 304 where the client has this very answer already (contract: If-None-Match compares the whole)."""
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or response.headers["ETag"] in _QUOTED.findall(known):
        return Response(304, "", response.headers)
    return response


def _answer(outcome: Outcome, body: str) -> Response:
    """Answer with a body, its entity tag and the mark of a replay."""
    headers = {"ETag": _entity_tag(outcome.cart, body), "Cache-Control": "private, no-cache"}
    if outcome.replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(200, body, headers)


def _read(request: Request, model: type[Body]) -> tuple[Body, Terms]:
    """Read a request's body and its terms together, so that the client learns of every fault at once."""
    faults: dict[str, list[str]] = {}
    key = request.headers.get(IDEMPOTENCY_KEY.lower(), "")
    if key and not _VISIBLE.fullmatch(key):
        faults[IDEMPOTENCY_KEY] = [f"must be 1 to {limits.IDEMPOTENCY_KEY_LENGTH} visible ASCII characters"]
    body = None
    try:
        body = model.model_validate({} if model is NoBody else _integral(request.json()))
    except NotJson:
        faults["body"] = [NOT_AN_OBJECT]
    except ValidationError as invalid:
        for fault in invalid.errors(include_url=False, include_context=False, include_input=False):
            if fault["loc"]:
                faults.setdefault(str(fault["loc"][0]), []).append(fault["msg"])
            else:
                faults["body"] = [fault["msg"] if fault["type"] == "nothing_to_change" else NOT_AN_OBJECT]
    if body is None or faults:
        raise InvalidRequest(faults)
    used = UsedKey(_digest(key, 12), _fingerprint(request, body)) if key else None
    return body, Terms(key=used, versions=_versions(request.headers.get("if-match", "")))


def _integral(body: object) -> object:
    """Take 2.0 for the integer that it is in JSON Schema; what is no integer, or past all bounds, stays as it is."""
    if not isinstance(body, dict):
        return body
    return {
        name: int(value)
        if isinstance(value, Decimal) and value == value.to_integral_value() and value.adjusted() < _DIGITS
        else value
        for name, value in body.items()
    }


def _fingerprint(request: Request, body: BaseModel) -> str:
    """Tell one request from another that comes with the same idempotency key."""
    target = "/".join([request.method, request.route, *request.path.values()])
    return _digest(f"{target} {body.model_dump_json(exclude_unset=True)}", 8)


def _digest(text: str, size: int) -> str:
    """Digest a text to so many bytes, in URL-safe base 64; a path may hold what is no text to UTF-8."""
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest[:size]).rstrip(b"=").decode()


def _versions(if_match: str) -> frozenset[int] | None:
    """Read the versions that ``If-Match`` names; nothing where every version will do.

    A weak tag counts like a strong one, since the version alone is compared, and proxies that compress weaken tags.
    """
    if if_match.strip() in ("", "*"):
        return None
    return frozenset(int(version) for version in _ENTITY_TAG.findall(if_match))


def _entity_tag(cart: PricedCart, body: str) -> str:
    """Tag an answer: the cart's version, and a digest that changes with prices too."""
    return f'"{cart.cart.version}-{hashlib.sha256(body.encode()).hexdigest()[:16]}"'


def cart_json(priced: PricedCart) -> str:
    """Write a cart as the contract has it."""
    cart = priced.cart
    return to_json({
        "id": cart_id(priced.owner),
        **cart.selections._asdict(),
        "created_at": _iso(cart.created_at),
        "updated_at": _iso(cart.updated_at),
        "count": len(priced.items),
        "quantity": priced.quantity,
        "is_empty": not priced.items,
        "items_subtotal": priced.items_subtotal,
        "items_discount": priced.items_discount,
        "subtotal": priced.subtotal,
        "discount": priced.discount,
        "total": priced.total,
        "items": [_item(priced.owner, item) for item in priced.items],
        "warnings": [
            {"code": warning.code, "item": item_id(priced.owner, warning.product_id), "message": warning.message}
            for warning in priced.warnings
        ],
    })  # fmt: skip


def _item(owner: Owner, priced: PricedItem) -> dict[str, Any]:
    """Write an item as the contract has it."""
    item, product = priced.item, priced.product
    return {
        "id": item_id(owner, product.id),
        "ref": product.ref,
        "product": {"id": product.id, "name": product.name, "image": product.image},
        "quantity": item.quantity,
        "notes": item.notes,
        "created_at": _iso(item.added_at),
        "updated_at": _iso(item.updated_at),
        "unit_price": product.price,
        "unit_discount": product.discount,
        "subtotal": priced.subtotal,
        "discount": priced.discount,
        "total": priced.total,
    }


def _iso(milliseconds: int | None) -> str | None:
    """Write a time as ISO 8601 in UTC."""
    if milliseconds is None:
        return None
    return f"{(_EPOCH + timedelta(milliseconds=milliseconds)).isoformat(timespec='milliseconds')}Z"

"""The Shop API: its requests, its errors and its answers (contract: Shop API)."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Self, TypeVar

from aws_lambda_powertools.event_handler import Response
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from serverless_cart.auth import KEY, KEY_LENGTH, digest
from serverless_cart.domain import errors
from serverless_cart.domain.cart import ItemAddition, ItemUpdate, Owner, PricedCart, PricedItem
from serverless_cart.domain.errors import ItemNotFound, NotAGuest, Refusal
from serverless_cart.domain.limits import (
    CONTRACT_LIMITS,
    DISCOUNT_CODE_LENGTH,
    IDEMPOTENCY_KEY_LENGTH,
    MAX_ITEM_QUANTITY,
    MAX_SAFE_INTEGER,
    NOTES_LENGTH,
    Limits,
)
from serverless_cart.domain.methods import Method, ShippingMethod
from serverless_cart.service.cart import CartChanged, Outcome, Preconditions
from serverless_cart.service.ports import IdempotencyKey
from serverless_cart.web.api import Api, Details
from serverless_cart.web.bodies import NOT_AN_OBJECT, NOTHING_TO_CHANGE, faults_of, integral
from serverless_cart.web.cart_json import cart_json, item_json
from serverless_cart.web.refusals import COMMON, ErrorTable, OtherKind, Unauthenticated
from serverless_cart.web.request import NotJson, Request
from serverless_cart.web.response import json_response, to_json
from serverless_cart.web.times import iso

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
NO_ITEM: Final = -1
"""An id that no item has."""

_VISIBLE: Final = re.compile(rf"[!-~]{{1,{IDEMPOTENCY_KEY_LENGTH}}}")
_QUOTED: Final = re.compile(r'"[^"]*"')
_ITEM_ID: Final = re.compile(r"[0-9]{1,16}")
_ENTITY_TAG: Final = re.compile(r'"([0-9]{1,16})-[0-9a-f]*"')

Body = TypeVar("Body", bound=BaseModel)


class InvalidRequest(Refusal):
    """A request is invalid; ``details`` has the messages by field."""


ERRORS: Final[ErrorTable] = {
    **COMMON,
    Unauthenticated: (401, "authentication required"),
    OtherKind: (401, "authentication required"),
    InvalidRequest: (400, "validation error"),
    errors.InvalidProduct: (400, "invalid product"),
    errors.InsufficientStock: (400, "insufficient stock"),
    errors.CartFull: (400, "cart is full"),
    errors.MethodNotOffered: (400, "validation error"),
    errors.InvalidDiscountCode: (400, "invalid discount code"),
    NotAGuest: (400, "validation error"),
    ItemNotFound: (404, "item not found"),
    errors.OrderNotFound: (404, "order not found"),
    errors.OrderNotCancellable: (409, "order cannot be cancelled"),
    CartChanged: (412, "cart has changed"),
    errors.IdempotencyKeyReused: (422, "idempotency key reused"),
}


def _at_most_the_limit(quantity: int, info: ValidationInfo) -> int:
    """Apply this deployment's limit, which may be lower than the contract's."""
    limits: Limits = info.context or CONTRACT_LIMITS
    if quantity > limits.item_quantity:
        raise PydanticKnownError("less_than_equal", {"le": limits.item_quantity})
    return quantity


def _well_formed(token: str) -> str:
    if not KEY.fullmatch(token):
        raise PydanticCustomError("malformed_token", "must be a token of 40 lower-case hexadecimal characters")
    return token


Quantity = Annotated[int, Field(ge=1, le=MAX_ITEM_QUANTITY), AfterValidator(_at_most_the_limit)]
Notes = Annotated[str, Field(max_length=NOTES_LENGTH, description="The customer's notes; an absent field keeps them.")]
GuestToken = Annotated[str, AfterValidator(_well_formed), Field(json_schema_extra={"pattern": f"^{KEY.pattern}$"})]
Selection = Annotated[int, Field(ge=0, le=MAX_SAFE_INTEGER)] | None


class AddCartItem(BaseModel):
    """The body of POST /api/shop/cart/items. A string, a fraction, a boolean and null are not integers."""

    model_config = ConfigDict(strict=True)

    product: int = Field(description="The id of a product in the shop's catalogue.")
    quantity: Quantity = Field(1, description="The number of pieces to add, 1 if absent.")
    notes: Notes = ""


class UpdateCartItem(BaseModel):
    """The body of PATCH /api/shop/cart/items/{id}: `quantity`, `notes` or both."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "minProperties": 1,
            "if": {"not": {"required": ["quantity"]}},
            "then": {"required": ["notes"]},
        },
    )

    quantity: Quantity = Field(1, description="The new number of pieces; an absent field keeps it.")
    notes: Notes = ""

    @model_validator(mode="after")
    def _check_not_empty(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError(NOTHING_TO_CHANGE, "quantity or notes is required")
        return self


class UpdateSelections(BaseModel):
    """The body of PATCH /api/shop/cart: null clears a selection, an absent field keeps it."""

    model_config = ConfigDict(strict=True)

    address: Selection = Field(None, description="The shop's id of the delivery address.")
    shipping_method: Selection = Field(None, description="The shop's id of the shipping method.")
    payment_method: Selection = Field(None, description="The shop's id of the payment method.")


class MergeGuest(BaseModel):
    """The body of POST /api/shop/cart/merge."""

    model_config = ConfigDict(strict=True)

    token: GuestToken = Field(description="A guest token of the same shop, with or without a zone.")


class ApplyDiscountCode(BaseModel):
    """The body of PUT /api/shop/cart/discount."""

    model_config = ConfigDict(strict=True)

    code: Annotated[str, Field(min_length=1, max_length=DISCOUNT_CODE_LENGTH)] = Field(
        description="The discount code, in any case."
    )


class NoBody(BaseModel):
    """The body of a route that takes none: it is not parsed."""


def describe(refusal: Refusal, error: str, request: Request | None) -> tuple[str, Mapping[str, str], Details]:
    """Return the current entity tag with a refusal of another version."""
    if isinstance(refusal, CartChanged) and request is not None:
        return error, {"ETag": _entity_tag(refusal.current, _cart_text(request, refusal.current))}, {}
    return error, {}, refusal.details


API: Final = Api(kind="customer", errors=ERRORS, describe=describe)
GUESTS: Final = Api(kind="api_key", errors=ERRORS)
"""The route of the Shop API that creates guests, with an API key."""


def owner_of(request: Request) -> Owner:
    """Return the owner of the cart: the signed-in customer."""
    return Owner(request.principal.shop, request.principal.customer)


def addition_of(request: Request, limits: Limits = CONTRACT_LIMITS) -> tuple[ItemAddition, Preconditions]:
    """Read what to add. Raises `InvalidRequest`, with all faults of the request."""
    body, preconditions = parse(request, AddCartItem, limits)
    notes = body.notes if "notes" in body.model_fields_set else None
    return ItemAddition(body.product, body.quantity, notes), preconditions


def item_update_of(request: Request, limits: Limits = CONTRACT_LIMITS) -> tuple[ItemUpdate, Preconditions]:
    """Read what to change of an item. Raises `InvalidRequest`."""
    body, preconditions = parse(request, UpdateCartItem, limits)
    given = body.model_fields_set
    return ItemUpdate(
        quantity=body.quantity if "quantity" in given else None, notes=body.notes if "notes" in given else None
    ), preconditions


def selections_of(request: Request) -> tuple[dict[str, int | None], Preconditions]:
    """Read what to select. Raises `InvalidRequest`."""
    body, preconditions = parse(request, UpdateSelections)
    return body.model_dump(exclude_unset=True), preconditions


def discount_code_of(request: Request) -> tuple[str, Preconditions]:
    """Read a discount code. Raises `InvalidRequest`."""
    body, preconditions = parse(request, ApplyDiscountCode)
    return body.code, preconditions


def guest_of(request: Request) -> tuple[str, Preconditions]:
    """Read the digest of a guest's token. Raises `InvalidRequest`."""
    body, preconditions = parse(request, MergeGuest)
    return digest(body.token[-KEY_LENGTH:]), preconditions


def guest_answer(key: str, expires_at: int) -> Response[str]:
    """Answer with a new guest's token and the end of its validity (seconds since 1970)."""
    body = {"token": key, "expires_at": iso(expires_at * 1000)}
    return json_response(201, to_json(body), {"Cache-Control": "no-store"})


def preconditions_of(request: Request) -> Preconditions:
    """Read the preconditions of a request without a body. Raises `InvalidRequest`."""
    return parse(request, NoBody)[1]


def item_of(request: Request) -> int:
    """Return the item's id from the path, or `NO_ITEM` if it is not an integer.

    It is not refused here, because a remembered idempotency key is checked first (contract: Order of checks).
    """
    item = request.path["id"]
    return int(item) if _ITEM_ID.fullmatch(item) else NO_ITEM


def cart_answer(request: Request, outcome: Outcome) -> Response[str]:
    """Answer with the whole priced cart."""
    body = _cart_text(request, outcome.cart)
    headers = {"ETag": _entity_tag(outcome.cart, body), "Cache-Control": "private, no-cache"}
    if outcome.replayed:
        headers["Idempotency-Replayed"] = "true"
    return json_response(200, body, headers)


def item_answer(request: Request, item: PricedItem) -> Response[str]:
    """Answer with one item."""
    return json_response(200, to_json(item_json(owner_of(request), item)), {"Cache-Control": "private, no-cache"})


def private_answer(body: Mapping[str, Any]) -> Response[str]:
    """Answer with personal data, which no cache may store."""
    return json_response(200, to_json(body), {"Cache-Control": "no-store"})


def methods_answer(methods: Iterable[Method]) -> Response[str]:
    """Answer with the active methods, in the operator's order (contract: Shipping and payment methods)."""
    body = {"results": [_method_json(method) for method in methods if method.active]}
    return json_response(200, to_json(body), {"Cache-Control": "private, no-cache"})


def _method_json(method: Method) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": method.id, "name": method.name, "description": method.description}
    if isinstance(method, ShippingMethod):
        return {**shown, "cost": method.cost, "free_from": method.free_from}
    return {**shown, "redirects": method.next_step is not None}


def unless_known(request: Request, answer: Response[str]) -> Response[str]:
    """Answer 304 if ``If-None-Match`` has the tag of this answer (contract: Entity tags)."""
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or answer.headers["ETag"] in _QUOTED.findall(known):
        answer.status_code, answer.body = 304, ""
    return answer


def _cart_text(request: Request, cart: PricedCart) -> str:
    return to_json(cart_json(cart, request.principal.currency))


def parse(request: Request, model: type[Body], limits: Limits = CONTRACT_LIMITS) -> tuple[Body, Preconditions]:
    """Parse body and preconditions of a request together, so that the answer lists all faults at once."""
    faults: dict[str, list[str]] = {}
    key = request.headers.get(IDEMPOTENCY_KEY.lower(), "")
    if key and not _VISIBLE.fullmatch(key):
        faults[IDEMPOTENCY_KEY] = [f"must be 1 to {IDEMPOTENCY_KEY_LENGTH} visible ASCII characters"]
    body = None
    try:
        body = model.model_validate({} if model is NoBody else integral(request.json()), context=limits)
    except NotJson:
        faults["body"] = [NOT_AN_OBJECT]
    except ValidationError as invalid:
        faults |= faults_of(invalid)
    if body is None or faults:
        raise InvalidRequest(faults)
    idempotency_key = IdempotencyKey(_digest(key, 12), _fingerprint(request, body)) if key else None
    return body, Preconditions(idempotency_key, _versions(request.headers.get("if-match", "")))


def _fingerprint(request: Request, body: BaseModel) -> str:
    """Return a digest of method, path and body, which differs for another request with the same idempotency key."""
    target = "/".join([request.method, request.route, *request.path.values()])
    return _digest(f"{target} {body.model_dump_json(exclude_unset=True)}", 8)


def _digest(text: str, size: int) -> str:
    """Digest a text to ``size`` bytes, in URL-safe base 64; a path may have lone surrogates, which UTF-8 lacks."""
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest[:size]).rstrip(b"=").decode()


def _versions(if_match: str) -> frozenset[int] | None:
    """Return the versions that ``If-Match`` names; ``None`` for any version.

    Weak tags count too: only the version is compared, and proxies that compress answers make their tags weak.
    """
    if if_match.strip() in ("", "*"):
        return None
    return frozenset(int(version) for version in _ENTITY_TAG.findall(if_match))


def _entity_tag(cart: PricedCart, body: str) -> str:
    """Return the entity tag of an answer: the cart's version and a digest of the body (contract: Entity tags)."""
    return f'"{cart.cart.version}-{hashlib.sha256(body.encode()).hexdigest()[:16]}"'

"""Common to `cartctl key` and `cartctl customer`: issuing, listing and revoking tokens."""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Final

import typer

from cartctl.errors import CartctlError, ExitCode, NotFoundError
from cartctl.output import iso, moment
from cartctl.shell import Invocation
from cartctl.terminal import ask_secret
from serverless_cart.auth import Kind, Token, key_of
from serverless_cart.clock import clock
from serverless_cart.dynamodb.token_registry import ShopNotOpen, TokenGone, TokenRecord, TokenRegistry

Stdin = Annotated[
    bool, typer.Option("--stdin", help="Read the leaked key from standard input, so that no shell history keeps it.")
]

NAMES: Final[dict[Kind, str]] = {
    "api_key": "API key",
    "management": "management key",
    "customer": "customer token",
}


def token_registry(run: Invocation) -> TokenRegistry:
    """Return the token registry of the deployment."""
    return TokenRegistry(run.deployment.table, clock)


def expiry(lifetime: int) -> int | None:
    """Return when a token with this lifetime in seconds expires, in seconds since 1970; a lifetime of 0 has no end."""
    return int(time.time()) + lifetime if lifetime else None


def issue(by: Callable[[Token, str], tuple[str, TokenRecord]], token: Token, label: str) -> tuple[str, TokenRecord]:
    """Issue a token by a method of the registry. Raises `NotFoundError` if the shop is not open."""
    try:
        return by(token, label)
    except ShopNotOpen:
        raise NotFoundError(
            f"Shop {token.shop} does not exist or is being deleted: run cartctl shop list to see the shops."
        ) from None


def show_list(run: Invocation, records: Iterable[TokenRecord], nothing: str) -> None:
    """Print tokens, without their keys."""
    found = list(records)
    of_customers = any(record.token.customer for record in found)
    run.out.rows(
        [describe(record) for record in found],
        ("Id", "Customer" if of_customers else "Kind", "Label", "Key ends with", "Issued", "Expires", "State"),
        (
            (
                record.id,
                record.token.customer if of_customers else NAMES[record.token.kind],
                record.label,
                record.last4,
                moment(record.issued_at),
                expires(record),
                _state(record),
            )
            for record in found
        ),
        nothing,
        long=("Customer", "Label"),
    )


def revoke(run: Invocation, records: Sequence[TokenRecord]) -> None:
    """Revoke tokens and print them."""
    registry = token_registry(run)
    try:
        revoked = [registry.revoke(record) for record in records]
    except TokenGone:
        raise CartctlError("Someone else has just deleted a token: list the tokens and try again.") from None
    show_revoked(run, revoked)


def show_revoked(run: Invocation, revoked: Sequence[TokenRecord]) -> None:
    """Print tokens that have been revoked."""
    show_list(run, revoked, "There are no valid tokens to revoke.")
    if revoked:
        cache = run.deployment.setting("AuthorizerCacheSeconds", 60)
        run.out.status(f"Revoked tokens stop working within {cache} seconds, the authorizer's cache time.")


def by_ids(records: Iterable[TokenRecord], ids: Sequence[str]) -> list[TokenRecord]:
    """Select tokens by their ids, or by the beginnings of their ids. Raises `CartctlError`."""
    found: dict[str, TokenRecord] = {}
    for record in records:
        for id_ in ids:
            if record.digest.startswith(id_.lower()):
                if id_ in found:
                    raise CartctlError(f"More than one token id begins with {id_}: write more characters of it.")
                found[id_] = record
    if missing := [id_ for id_ in ids if id_ not in found]:
        raise NotFoundError(f"There is no token {missing[0]}: run the list command to see the ids.")
    return [found[id_] for id_ in dict.fromkeys(ids)]


def from_stdin(run: Invocation, shop: str, *kinds: Kind) -> list[TokenRecord]:
    """Read a key and return its token. Raises `CartctlError` if it is not a key of this shop and these kinds."""
    key = read_key()
    record = token_registry(run).find(key)
    if record is None or record.token.shop != shop:
        raise NotFoundError(f"Shop {shop} has no such key: check the name of the shop.")
    kind = record.token.kind
    if kind not in kinds:
        article, noun = ("a", "customer") if kind == "customer" else ("an" if kind == "api_key" else "a", "key")
        raise NotFoundError(f"This is {article} {NAMES[kind]}: run cartctl {noun} revoke {shop} --stdin.")
    return [record]


def read_key() -> str:
    """Read a key from standard input, or ask for it without showing it. Raises `CartctlError` if it is malformed."""
    text = ask_secret("Key") if sys.stdin.isatty() else sys.stdin.readline()
    key = key_of(f"Token {text.strip()}")
    if key is None:
        raise CartctlError(
            "This is not a key: write its 40 hexadecimal characters, with or without a zone.", ExitCode.USAGE
        )
    return key


def expires(record: TokenRecord) -> object:
    """Return when a token expires, for people."""
    at = record.token.expires_at
    return "never" if at is None else moment(at * 1000)


def describe(record: TokenRecord) -> dict[str, Any]:
    """Return a token as JSON; only a customer token has a customer."""
    token = record.token
    return {
        "id": record.id,
        "kind": token.kind,
        "shop": token.shop,
        **({"customer": token.customer} if token.customer else {}),
        "label": record.label,
        "last4": record.last4,
        "issued_at": iso(record.issued_at),
        "expires_at": None if token.expires_at is None else iso(token.expires_at * 1000),
        "revoked_at": iso(record.revoked_at),
        "state": _state(record),
    }


def _state(record: TokenRecord) -> str:
    if record.token.revoked:
        return "revoked"
    return "valid" if record.token.is_active(time.time()) else "expired"

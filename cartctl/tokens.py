"""What `cartctl key` and `cartctl customer` have in common: issuing tokens, showing them, revoking them."""

import sys
import time
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from cartctl.errors import CartctlError, ExitCode, NotFoundError
from cartctl.output import iso, moment
from cartctl.shell import Invocation
from serverless_cart.auth import Kind, Token, key_of
from serverless_cart.clock import clock
from serverless_cart.dynamodb.token_registry import ShopNotOpen, TokenGone, TokenRecord, TokenRegistry

Stdin = Annotated[
    bool, typer.Option("--stdin", help="Read the leaked key itself from standard input, so that no shell keeps it.")
]


def token_registry(run: Invocation) -> TokenRegistry:
    """Open the lists of tokens of a deployment."""
    return TokenRegistry(run.deployment.table, clock)


def expiry(seconds: int) -> int | None:
    """Return the moment, in seconds since 1970, at which a token expires that lives so long; 0 is for ever."""
    return int(time.time()) + seconds if seconds else None


def issue(run: Invocation, shop: str, tokens: Sequence[Token], label: str) -> list[tuple[str, TokenRecord]]:
    """Issue tokens and return them with their keys. Raises `NotFoundError` where the shop is not open."""
    try:
        return token_registry(run).issue(shop, tokens, label)
    except ShopNotOpen:
        raise NotFoundError(f"There is no open shop {shop}: cartctl shop list names them.") from None


def show_list(run: Invocation, listed: Iterable[TokenRecord], nothing: str) -> None:
    """Show tokens, never with enough to use one."""
    found = list(listed)
    run.out.rows(
        [describe(it) for it in found],
        ("Id", "Customer", "Label", "Key ends with", "Issued", "Expires", "State"),
        (
            (
                it.id,
                it.token.customer,
                it.label,
                it.last4,
                moment(it.issued_at),
                expires(it),
                _state(it),
            )
            for it in found
        ),
        nothing,
    )


def revoke(run: Invocation, chosen: Sequence[TokenRecord]) -> None:
    """Revoke tokens and show them."""
    store = token_registry(run)
    try:
        revoked = [store.revoke(it) for it in chosen]
    except TokenGone:
        raise CartctlError("A token has just been deleted by somebody else: look at the list and try again.") from None
    show_list(run, revoked, "")
    cache = run.deployment.setting("AuthorizerCacheSeconds", 60)
    run.out.status(f"They open nothing any more within {cache} seconds, the authorizer's cache time.")


def by_ids(listed: Iterable[TokenRecord], ids: Sequence[str]) -> list[TokenRecord]:
    """Choose tokens by their ids, or by the beginnings of ids. Raises `NotFoundError`."""
    found: dict[str, TokenRecord] = {}
    for it in listed:
        for id_ in ids:
            if it.digest.startswith(id_.lower()):
                if id_ in found:
                    raise CartctlError(f"More than one token's id begins with {id_}: write more of it.")
                found[id_] = it
    if missing := [id_ for id_ in ids if id_ not in found]:
        raise NotFoundError(f"There is no token {missing[0]}: the command list shows their ids.")
    return [found[id_] for id_ in dict.fromkeys(ids)]


def from_stdin(run: Invocation, shop: str, kind: Kind) -> list[TokenRecord]:
    """Read a key and return its token. Raises `CartctlError` where it is none, or another shop's or kind's."""
    text = typer.prompt("Key", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    key = key_of(f"Token {text.strip()}")
    if key is None:
        raise CartctlError("That is no key: it has 40 hexadecimal characters, or a zone in front.", ExitCode.USAGE)
    found = token_registry(run).find(key)
    if found is None or found.token.shop != shop:
        raise NotFoundError(f"{shop} has no such key: if it is another shop's, name that one.")
    if found.token.kind != kind:
        other = {"api_key": "key", "customer": "customer"}[found.token.kind]
        raise NotFoundError(f"It is of the other kind: cartctl {other} revoke {shop} --stdin revokes it.")
    return [found]


def expires(listed: TokenRecord) -> object:
    """Say to a person when a token expires."""
    at = listed.token.expires_at
    return "never" if at is None else moment(at * 1000)


def describe(it: TokenRecord) -> dict[str, Any]:
    """Describe a token for a program."""
    described = {
        "id": it.id,
        "kind": it.token.kind,
        "shop": it.token.shop,
        "customer": it.token.customer or None,
        "label": it.label,
        "last4": it.last4,
        "issued_at": iso(it.issued_at),
        "expires_at": None if it.token.expires_at is None else iso(it.token.expires_at * 1000),
        "revoked_at": iso(it.revoked_at),
        "state": _state(it),
    }
    return described if it.token.customer else {k: value for k, value in described.items() if k != "customer"}


def _state(it: TokenRecord) -> str:
    """Say whether a token opens anything."""
    if it.token.revoked:
        return "revoked"
    return "valid" if it.token.is_active(time.time()) else "expired"

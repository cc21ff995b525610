"""Keys and tokens: their format, their digest and what they open (contract: Keys and tokens)."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from serverless_cart.domain.shop import Shop

Kind = Literal["api_key", "customer", "management"]

_KINDS: Final[dict[str, Kind]] = {"api_key": "api_key", "customer": "customer", "management": "management"}

KEY_LENGTH: Final = 40
"""Characters of a key without its zone."""
KEY: Final = re.compile(rf"(?:(?:eu1|us1|ap1)-)?([0-9a-f]{{{KEY_LENGTH}}})")
HEADER: Final = re.compile(rf"[Tt][Oo][Kk][Ee][Nn] {KEY.pattern}")
"""A well-formed ``Authorization`` header; template.yaml gives the gateway the same expression."""


def new_key() -> str:
    """Create a key: 160 random bits as 40 lower-case hexadecimal characters."""
    return secrets.token_hex(20)


def key_of(header: str) -> str | None:
    """Return the key in an ``Authorization`` header without its zone, or ``None`` if the header is malformed.

    >>> key_of("token eu1-" + "0" * 40) == "0" * 40
    True
    >>> key_of("Bearer x") is None
    True
    """
    match = HEADER.fullmatch(header)
    return match[1] if match else None


def digest(key: str) -> str:
    """Return the SHA-256 digest of a key, in hexadecimal: the table stores it instead of the key."""
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Token:
    """A token as stored. ``expires_at`` is seconds since 1970; only a customer token has a ``customer``."""

    kind: Kind
    shop: str
    customer: str = ""
    expires_at: int | None = None
    revoked: bool = False

    def is_active(self, now: float) -> bool:
        """Return whether the token opens anything at ``now`` (seconds since 1970)."""
        return not self.revoked and (self.expires_at is None or now < self.expires_at)


class Principal(NamedTuple):
    """The sender of a request, as the authorizer passes it to the functions."""

    kind: Kind
    shop: str
    customer: str
    search_engines: frozenset[str]
    blocked_networks: frozenset[str]
    allowed_origins: frozenset[str]
    currency: str = ""

    @classmethod
    def of(cls, token: Token, shop: Shop) -> "Principal":
        """Join a token to its shop's settings."""
        return cls(
            kind=token.kind,
            shop=token.shop,
            customer=token.customer,
            search_engines=shop.search_engines,
            blocked_networks=shop.blocked_networks,
            allowed_origins=shop.allowed_origins,
            currency=shop.currency,
        )

    def to_context(self) -> dict[str, str]:
        """Write the principal as an authorizer's context, whose values API Gateway passes on as strings."""
        return {
            "kind": self.kind,
            "shop": self.shop,
            "customer": self.customer,
            "search_engines": " ".join(sorted(self.search_engines)),
            "blocked_networks": " ".join(sorted(self.blocked_networks)),
            "allowed_origins": " ".join(sorted(self.allowed_origins)),
            "currency": self.currency,
        }

    @classmethod
    def from_context(cls, context: dict[str, str]) -> "Principal | None":
        """Read what `to_context` wrote; ``None`` if it has no known kind of principal."""
        kind = _KINDS.get(context.get("kind", ""))
        if kind is None:
            return None
        return cls(
            kind=kind,
            shop=context["shop"],
            customer=context["customer"],
            search_engines=frozenset(context["search_engines"].split()),
            blocked_networks=frozenset(context["blocked_networks"].split()),
            allowed_origins=frozenset(context["allowed_origins"].split()),
            currency=context.get("currency", ""),  # a result that was cached before an upgrade has none
        )

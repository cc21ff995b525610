"""A shop and its settings."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop's settings: its search engines' hashids, its blocked networks (CIDR) and its allowed origins."""

    name: str
    search_engines: frozenset[str] = field(default_factory=frozenset)
    blocked_networks: frozenset[str] = field(default_factory=frozenset)
    allowed_origins: frozenset[str] = field(default_factory=frozenset)
    currency: str = ""

"""Blocked networks and allowed origins. The authorizer cannot check them: its cached result is keyed by token only."""

import ipaddress
from functools import lru_cache

from serverless_cart.auth import Principal
from serverless_cart.web.refusals import BannedAddress, OriginNotAllowed


def check_address(principal: Principal, address: str) -> None:
    """Refuse a client in one of the shop's blocked networks (contract: ``banned ip``).

    ``address`` is the one that API Gateway reports. If a shop blocks networks, an address that cannot be parsed is
    refused too.
    """
    if principal.blocked_networks and _is_blocked(principal.blocked_networks, address):
        raise BannedAddress


def check_origin(principal: Principal, origin: str | None) -> None:
    """Refuse a page of an origin that the shop does not list, if it lists any (contract: ``origin not allowed``)."""
    if origin is not None and principal.allowed_origins and origin not in principal.allowed_origins:
        raise OriginNotAllowed


@lru_cache(maxsize=1_000)  # a page sends several requests, and parsing takes longer than the rest of the edge
def _is_blocked(networks: frozenset[str], address: str) -> bool:
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return True
    if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped:
        client = client.ipv4_mapped
    return any(client in ipaddress.ip_network(network, strict=False) for network in networks)

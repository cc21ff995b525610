"""Blocked networks and allowed origins. The authorizer cannot check them: its cached result is keyed by token only."""

import ipaddress
from functools import lru_cache

from serverless_cart.auth import Principal
from serverless_cart.web.refusals import BannedAddress, OriginNotAllowed


def check_address(principal: Principal, address: str) -> None:
    """Check that the client is in no blocked network of the shop (contract: Blocked networks and origins).

    ``address`` is the one that API Gateway reports. If a shop blocks networks, an address that cannot be parsed is
    refused too. Raises `BannedAddress`.
    """
    if principal.blocked_networks and _is_blocked(principal.blocked_networks, address):
        raise BannedAddress


def check_origin(principal: Principal, origin: str | None) -> None:
    """Check that the shop allows the page's origin, if it lists any (contract: Blocked networks and origins).

    Raises `OriginNotAllowed`.
    """
    if origin is not None and principal.allowed_origins and origin not in principal.allowed_origins:
        raise OriginNotAllowed


@lru_cache(maxsize=1_000)  # a page sends several requests, and parsing takes longer than all other checks
def _is_blocked(networks: frozenset[str], address: str) -> bool:
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return True
    if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped:
        client = client.ipv4_mapped
    return any(client in ipaddress.ip_network(network, strict=False) for network in networks)

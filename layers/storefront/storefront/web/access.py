"""Who may ask, from where: blocked networks and allowed origins, at one place for both APIs.

The authorizer cannot judge these: API Gateway keeps its answers by token alone.
"""

import ipaddress

from storefront.domain.errors import BannedAddress, OriginNotAllowed
from storefront.tokens import Principal


def check_address(principal: Principal, address: str) -> None:
    """Refuse a client in one of the shop's blocked networks (contract: ``banned ip``).

    ``address`` is the one that API Gateway reports. Where a shop blocks networks, an address that cannot be read is
    refused too.
    """
    if not principal.blocked_networks:
        return
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        raise BannedAddress from None
    if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped:
        client = client.ipv4_mapped
    if any(client in ipaddress.ip_network(network, strict=False) for network in principal.blocked_networks):
        raise BannedAddress


def check_origin(principal: Principal, origin: str | None) -> None:
    """Refuse a page of an origin that the shop does not list, if it lists any (contract: ``origin not allowed``)."""
    if origin is not None and principal.allowed_origins and origin not in principal.allowed_origins:
        raise OriginNotAllowed

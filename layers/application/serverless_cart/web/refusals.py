"""The refusals that the APIs share (contract: Errors of Search API and Shop API)."""

from collections.abc import Mapping
from typing import Final

from serverless_cart.domain.errors import Refusal


class Unauthenticated(Refusal):
    """The request has no credential that opens this API."""


class OtherKind(Refusal):
    """The request has a valid credential, but of a kind that opens another API."""


class BannedAddress(Refusal):
    """The client's address is in one of the shop's blocked networks."""


class OriginNotAllowed(Refusal):
    """The shop lists allowed origins, and the request's is not one of them."""


class NotFound(Refusal):
    """There is no such route or method."""


class RequestTooLarge(Refusal):
    """The body is larger than 1 MiB."""


ErrorTable = Mapping[type[Refusal], tuple[int, str]]
"""The status and the error text, or code, of each refusal: exactly that of the contract."""

COMMON: Final[ErrorTable] = {
    BannedAddress: (403, "banned ip"),
    OriginNotAllowed: (403, "origin not allowed"),
    NotFound: (404, "not found"),
    RequestTooLarge: (413, "request too large"),
}
"""Those of the APIs for storefront pages."""
UNAVAILABLE: Final = "temporarily unavailable"
FAULT: Final = "internal server error"

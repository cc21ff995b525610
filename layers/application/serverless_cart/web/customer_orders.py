"""The requests of a customer for orders (contract: Shop routes)."""

from typing import NamedTuple

from serverless_cart.domain.limits import DEFAULT_ORDERS, ORDERS_OF_A_CUSTOMER, ORDERS_OFFSET
from serverless_cart.domain.orders import Status
from serverless_cart.web.query_string import Faults, read_integer, read_status
from serverless_cart.web.request import Request
from serverless_cart.web.shop_api import InvalidRequest


class CustomerQuery(NamedTuple):
    """The orders that a customer asks for: those of one ``status`` if given, without the newest ``offset``."""

    status: Status | None
    limit: int
    offset: int


def order_query_of(request: Request) -> CustomerQuery:
    """Read which orders are asked for. Raises `InvalidRequest`, with all faults of the request."""
    faults: Faults = {}
    query = CustomerQuery(
        read_status(request.query, faults),
        read_integer(request.query, "limit", (1, ORDERS_OF_A_CUSTOMER), DEFAULT_ORDERS, faults),
        read_integer(request.query, "offset", (0, ORDERS_OFFSET), 0, faults),
    )
    if faults:
        raise InvalidRequest(faults)
    return query

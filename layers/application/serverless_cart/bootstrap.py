"""Composes clients, stores and services for the functions.

Each function loads only the parts that it uses, because every module lengthens a cold start: so the imports are local.
"""
# ruff: noqa: PLC0415

from typing import TYPE_CHECKING

from serverless_cart import cold_start, startup  # noqa: F401 - first, before anything large is imported
from serverless_cart.clock import clock
from serverless_cart.dynamodb.client import connect
from serverless_cart.environment import Environment

if TYPE_CHECKING:
    from serverless_cart.dynamodb.guests import GuestStore
    from serverless_cart.dynamodb.methods import MethodStore
    from serverless_cart.dynamodb.roll_up import RollUp
    from serverless_cart.dynamodb.search_events import SearchEventStore
    from serverless_cart.dynamodb.sessions import SessionStore
    from serverless_cart.dynamodb.table import Table
    from serverless_cart.dynamodb.token_registry import TokenRegistry
    from serverless_cart.dynamodb.tokens import TokenStore
    from serverless_cart.service.cart import CartService
    from serverless_cart.service.checkout import CheckoutService
    from serverless_cart.service.holds import HoldService
    from serverless_cart.service.merge import MergeService
    from serverless_cart.service.orders import OrderService
    from serverless_cart.service.statistics import StatisticsService
    from serverless_cart.telemetry import Telemetry


def cart_service(environment: Environment, telemetry: "Telemetry") -> "CartService":
    """Compose the service of customers' carts."""
    from serverless_cart.dynamodb.carts import DynamoDBCartStore
    from serverless_cart.service.cart import CartService

    limits = environment.limits
    return CartService(DynamoDBCartStore(_table(environment, telemetry), clock, limits), clock, limits)


def checkout_service(environment: Environment, telemetry: "Telemetry") -> "CheckoutService":
    """Compose the service of checkouts."""
    from serverless_cart.dynamodb.checkout import DynamoDBCheckoutStore
    from serverless_cart.service.checkout import CheckoutService

    limits = environment.limits
    return CheckoutService(DynamoDBCheckoutStore(_table(environment, telemetry), clock, limits), clock, limits)


def guest_store(environment: Environment, telemetry: "Telemetry") -> "GuestStore":
    """Compose the store of guests."""
    from serverless_cart.dynamodb.guests import GuestStore

    return GuestStore(_table(environment, telemetry), clock)


def merge_service(environment: Environment, telemetry: "Telemetry") -> "MergeService":
    """Compose the service that merges guests' carts."""
    from serverless_cart.dynamodb.merge import DynamoDBMergeStore
    from serverless_cart.service.merge import MergeService

    limits = environment.limits
    return MergeService(DynamoDBMergeStore(_table(environment, telemetry), clock, limits), clock, limits)


def roll_up(environment: Environment, telemetry: "Telemetry") -> "RollUp":
    """Compose the roll-up of the table's stream."""
    from serverless_cart.dynamodb.roll_up import RollUp

    table = _table(environment, telemetry)
    return RollUp(table, clock, environment.statistics_retention_days, telemetry.set_aside)


def search_event_store(environment: Environment, telemetry: "Telemetry") -> "SearchEventStore":
    """Compose the store of search sessions' events."""
    from serverless_cart.dynamodb.search_events import SearchEventStore

    return SearchEventStore(_table(environment, telemetry), clock, environment.limits)


def method_store(environment: Environment, telemetry: "Telemetry") -> "MethodStore":
    """Compose the store of shipping and payment methods."""
    from serverless_cart.dynamodb.methods import MethodStore

    return MethodStore(_table(environment, telemetry))


def session_store(environment: Environment, telemetry: "Telemetry") -> "SessionStore":
    """Compose the store of search sessions' carts."""
    from serverless_cart.dynamodb.sessions import SessionStore

    return SessionStore(_table(environment, telemetry), clock, environment.limits)


def order_service(environment: Environment, telemetry: "Telemetry") -> "OrderService":
    """Compose the service of orders."""
    from serverless_cart.dynamodb.orders import DynamoDBOrderStore
    from serverless_cart.service.orders import OrderService

    return OrderService(DynamoDBOrderStore(_table(environment, telemetry)), clock)


def hold_service(environment: Environment, telemetry: "Telemetry") -> "HoldService":
    """Compose the service that ends holds."""
    from serverless_cart.dynamodb.orders import DynamoDBOrderStore
    from serverless_cart.service.holds import HoldService

    return HoldService(DynamoDBOrderStore(_table(environment, telemetry)), clock)


def statistics_service(environment: Environment, telemetry: "Telemetry") -> "StatisticsService":
    """Compose the service of the statistics."""
    from serverless_cart.dynamodb.statistics import StatisticsStore
    from serverless_cart.service.statistics import StatisticsService

    store = StatisticsStore(_table(environment, telemetry))
    return StatisticsService(store, clock, environment.limits.session_item_lifetime)


def token_store(environment: Environment, telemetry: "Telemetry") -> "TokenStore":
    """Compose the store of tokens."""
    from serverless_cart.dynamodb.tokens import TokenStore

    return TokenStore(_table(environment, telemetry))


def token_registry(environment: Environment, telemetry: "Telemetry") -> "TokenRegistry":
    """Compose the lists of tokens."""
    from serverless_cart.dynamodb.token_registry import TokenRegistry

    return TokenRegistry(_table(environment, telemetry), clock)


def _table(environment: Environment, telemetry: "Telemetry") -> "Table":
    timeout = environment.database_timeout_seconds
    return connect(environment.table_name, timeout, telemetry.observe_call, telemetry.report_conflict)

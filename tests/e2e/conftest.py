"""One stack for all end-to-end tests, and for each test a new visitor, customer and products."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local import deploy, settings
from local.lock import held
from local.stack import Stack
from serverless_cart.auth import Token
from serverless_cart.clock import clock
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.orders import Order
from serverless_cart.domain.product import Product
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb.orders import new_order_writes
from serverless_cart.dynamodb.table import Table
from tests.support.builders import order
from tests.support.lambdas import Lambdas
from tests.support.shopper import REGISTERED, Changed, Guarded, Shopper
from tools.support.clients import NOTE, Customer, Http, Manager, Visitor, sensitive, unique
from tools.support.database import Database
from tools.support.events import MINUTE


@pytest.fixture
def build(stack: Stack) -> Iterator[Path]:  # noqa: ARG001 - it is built for the stack
    """Return the folder of the stack's build, which no other process can replace meanwhile."""
    with held(deploy.LOCK):
        yield settings.BUILD


@pytest.fixture(scope="session")
def lambdas(stack: Stack) -> Lambdas:
    """Return the stack's functions."""
    return Lambdas.of(stack)


@pytest.fixture(scope="session")
def search_http(stack: Stack) -> Iterator[Http]:
    """Connect to the Search API."""
    http = Http(stack.search_url, innards=stack.table_name)
    yield http
    http.close()


@pytest.fixture(scope="session")
def shop_http(stack: Stack) -> Iterator[Http]:
    """Connect to the Shop API."""
    http = Http(stack.shop_url, innards=stack.table_name)
    yield http
    http.close()


@pytest.fixture(scope="session")
def management_http(stack: Stack) -> Iterator[Http]:
    """Connect to the Management API."""
    http = Http(stack.management_url, innards=stack.table_name, of_pages=False)
    yield http
    http.close()


@pytest.fixture(scope="session")
def manager(stack: Stack, management_http: Http) -> Manager:
    """Return the demo shop's server."""
    return Manager(management_http, stack.management_key)


@pytest.fixture(scope="session", autouse=True)
def _keys_are_sensitive(stack: Stack) -> None:
    """Search the logs for the keys of the stack too, without their zones."""
    second = stack.second_shop
    for key in (stack.api_key, stack.management_key, *stack.customer_tokens, stack.expired_token, stack.revoked_token):
        sensitive(key.rpartition("-")[2])
    for key in (second.api_key, second.management_key, second.customer_token):
        sensitive(key.rpartition("-")[2])


@pytest.fixture(scope="session")
def shop(stack: Stack, database: Database) -> str:
    """Return the demo shop's name."""
    return database.token(stack.api_key).shop


@pytest.fixture(scope="session")
def new_visitor(stack: Stack, search_http: Http) -> Callable[[], Visitor]:
    """Return a function that makes visitors of the demo shop, each in a new search session."""
    return lambda: Visitor(search_http, stack.api_key, stack.hashid, unique("session")[:32])


@pytest.fixture(scope="session")
def new_customer(database: Database, shop_http: Http, shop: str) -> Callable[[], Customer]:
    """Return a function that makes customers of the demo shop, each with an empty cart."""

    def make() -> Customer:
        owner, token = database.new_owner(shop)
        return Customer(shop_http, token, owner)

    return make


@pytest.fixture
def visitor(new_visitor: Callable[[], Visitor]) -> Visitor:
    """Make a visitor in a new search session."""
    return new_visitor()


@pytest.fixture
def customer(new_customer: Callable[[], Customer]) -> Customer:
    """Make a customer with an empty cart."""
    return new_customer()


@pytest.fixture(scope="session")
def guarded(database: Database, search_http: Http, shop_http: Http) -> Guarded:
    """Create a shop with blocked networks and allowed origins."""
    hashid = secrets.token_hex(16)
    shop = database.open_shop(
        Shop(
            name=unique("guarded"),
            search_engines=frozenset({hashid}),
            blocked_networks=frozenset({"198.51.100.0/28", "2001:db8:bad::/48"}),
            allowed_origins=frozenset({"https://guarded.example", "https://www.guarded.example:8443"}),
        )
    )
    owner, token = database.new_owner(shop.name)
    return Guarded(
        shop=shop,
        visitor=Visitor(search_http, database.issue(Token("api_key", shop.name)), hashid, unique("session")[:32]),
        customer=Customer(shop_http, token, owner),
    )


@pytest.fixture(scope="session", autouse=True)
def changed(database: Database, search_http: Http, shop_http: Http) -> Changed:
    """Change a shop at the start of the run, so that test_changes.py need not wait for the cache to expire."""
    hashid, name = secrets.token_hex(16), unique("changing")
    shop = database.open_shop(Shop(name, search_engines=frozenset({hashid})))
    visitor = Visitor(search_http, database.issue(Token("api_key", name)), hashid, "changing")
    revoked, expired, other = (
        Customer(shop_http, token, owner) for owner, token in (database.new_owner(name) for _ in range(3))
    )
    new = Customer(shop_http, database.issue_nothing(), Owner(name, "new"))

    assert visitor.put("42").status == 200
    for customer in (revoked, expired, other):
        assert customer.add(1).body["error"] == "invalid product"
    assert new.add(1).status == 401
    cached_at = time.time()

    database.reissue(visitor.token, Token("api_key", name, revoked=True))
    database.reissue(revoked.token, Token("customer", name, revoked.owner.customer, revoked=True))
    database.reissue(expired.token, Token("customer", name, expired.owner.customer, expires_at=int(cached_at)))
    database.reissue(new.token, Token("customer", name, new.owner.customer))
    database.open_shop(
        replace(
            shop,
            blocked_networks=frozenset({"192.0.2.0/24"}),
            allowed_origins=frozenset({"https://changing.example"}),
        )
    )
    return Changed(
        cached_at=cached_at,
        revoked_visitor=visitor,
        revoked_customer=revoked,
        expired_customer=expired,
        new_customer=new,
        other_customer=other,
    )


@pytest.fixture(scope="session", autouse=True)
def overdue(database: Database) -> Order:
    """Write an order whose hold ended a minute ago, at the start of the run, so that test_checkout.py need not wait."""
    shop = database.open_shop(Shop(unique("overdue"))).name
    mug = database.sell(shop, stock=3)
    ended = {"created_at": clock() - 31 * MINUTE, "reserved_until": clock() - MINUTE}
    made = order(shop=shop, customer=unique("customer"), reserved={mug.id: 2}, **ended)
    Table(database.name, database.client).transact(new_order_writes(made, open_holds=1))
    return made


@pytest.fixture
def lamp(database: Database, shop: str) -> Product:
    """Sell a product at 10.00, discount 1.50, with unlimited stock."""
    return database.sell(shop, price=1_000, discount=150)


@pytest.fixture
def other(database: Database, shop: str) -> Product:
    """Sell another product at 5.00."""
    return database.sell(shop, price=500)


@pytest.fixture
def shopper(customer: Customer, lamp: Product) -> Shopper:
    """Make a customer with two lamps in the cart."""
    (item,) = customer.add(lamp.id, quantity=2, notes=NOTE).body["items"]
    return Shopper(customer, lamp, item["id"])


@pytest.fixture
def untouched(visitor: Visitor, database: Database) -> Iterator[Visitor]:
    """Make a visitor with an item in the cart, and check that the test leaves the cart as it is."""
    assert visitor.put("42", amount=7) == REGISTERED
    before = database.session(visitor.hashid, visitor.session)
    yield visitor
    assert database.session(visitor.hashid, visitor.session) == before


@pytest.fixture
def unchanged(shopper: Shopper, database: Database) -> Iterator[Shopper]:
    """Make a customer with two lamps in the cart, and check that the test leaves the cart as it is."""
    before = database.cart(shopper.customer.owner)
    yield shopper
    assert database.cart(shopper.customer.owner) == before


@pytest.fixture(scope="session")
def a_hundred_products(database: Database, shop: str) -> list[Product]:
    """Sell as many products as a cart takes."""
    return [database.sell(shop, price=100 + n) for n in range(100)]


@pytest.fixture(scope="session")
def full_cart(new_customer: Callable[[], Customer], a_hundred_products: list[Product]) -> Customer:
    """Make a customer whose cart is full, with a hundred products; tests copy it."""
    customer = new_customer()
    for product in a_hundred_products:
        reply = customer.add(product.id)
        assert reply.status == 200
    return customer

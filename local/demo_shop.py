"""Loading the demo shop and a second one beside it, each with freshly drawn keys."""

import csv
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from local import environment
from local.errors import LocalCloudError
from local.stack import DemoShop, Deployment, SecondShop
from storefront.domain.product import Product
from storefront.store.catalogue import product_to_item
from storefront.store.table import Item, Table
from storefront.store.tokens import shop_to_item, token_to_items
from storefront.tokens import Shop, Token, digest, new_key

FOLDER: Final = Path(__file__).parent / "demo"
CUSTOMERS: Final = 8
ZONE: Final = "eu1-"
BLOCKED_NETWORKS: Final = frozenset({"203.0.113.0/24", "2001:db8:bad::/48"})
BLOCKED_ADDRESS: Final = "203.0.113.7"
ALLOWED_ORIGIN: Final = "https://second-shop.example"
DAY: Final = 24 * 3600


@dataclass(slots=True)
class _Items:
    """The items of one shop, to be written."""

    shop: Shop
    items: list[Item] = field(default_factory=list)

    def issue(self, token: Token) -> str:
        """Add a token and return its new key."""
        key = new_key()
        self.items += token_to_items(digest(key), token)
        return key

    def api_key(self) -> str:
        """Add an API key."""
        return ZONE + self.issue(Token("api_key", self.shop.name))

    def customer(self, name: str, *, expires_at: int | None = None, revoked: bool = False) -> str:
        """Add a customer's token."""
        return self.issue(Token("customer", self.shop.name, name, expires_at, revoked))

    def catalogue(self, name: str) -> tuple[Product, ...]:
        """Add the products of a catalogue file."""
        products = tuple(_products(FOLDER / name))
        self.items += [product_to_item(self.shop.name, product) for product in products]
        return products


def load(into: Deployment) -> DemoShop:
    """Write both shops into a deployment's table."""
    engine, second_engine = secrets.token_hex(16), secrets.token_hex(16)
    demo = _Items(Shop("demo", frozenset({engine}), BLOCKED_NETWORKS, currency="EUR"))
    second = _Items(Shop("second", frozenset({second_engine}), allowed_origins=frozenset({ALLOWED_ORIGIN})))
    loaded = DemoShop(
        hashid=engine,
        api_key=demo.api_key(),
        customer_tokens=tuple(demo.customer(f"customer-{number}") for number in range(1, CUSTOMERS + 1)),
        demonstration_token=demo.customer("demonstration"),
        expired_token=demo.customer("expired", expires_at=int(time.time()) - DAY),
        revoked_token=demo.customer("revoked", revoked=True),
        blocked_address=BLOCKED_ADDRESS,
        products=demo.catalogue("catalogue.csv"),
        second_shop=SecondShop(
            hashid=second_engine,
            api_key=second.api_key(),
            customer_token=second.customer("customer-1"),
            allowed_origin=ALLOWED_ORIGIN,
        ),
    )
    second.catalogue("second_catalogue.csv")
    items = [item for shop in (demo, second) for item in (shop_to_item(shop.shop), *shop.items)]
    client = environment.session().client("dynamodb", endpoint_url=into.endpoint_url, config=environment.CLIENT)
    Table(into.table_name, client).write_many({"PutRequest": {"Item": item}} for item in items)
    return loaded


def _products(path: Path) -> Iterable[Product]:
    """Read a catalogue: a column for each field; an empty image or stock means that there is none or no limit."""
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            product = Product(
                id=int(row["id"]),
                ref=row["ref"],
                name=row["name"],
                image=row["image"] or None,
                price=int(row["price"]),
                discount=int(row["discount"]),
                stock=int(row["stock"]) if row["stock"] else None,
                active=row["active"] == "true",
            )
            if faults := product.faults():
                raise LocalCloudError(f"{path.name}, product {product.id}: {'; '.join(faults)}")
            yield product

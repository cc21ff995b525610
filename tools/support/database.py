"""The table behind the stack: what the tests prepare in it, and what they look up where HTTP does not show it."""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from serverless_cart import auth
from serverless_cart.auth import Token
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.orders import Order
from serverless_cart.domain.product import Product
from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.domain.shop import Shop
from serverless_cart.domain.statistics import Counts
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.statistics import Chunk, count_writes
from serverless_cart.dynamodb.table import TRANSACTION, Table
from serverless_cart.dynamodb.token_registry import TokenRecord, record_to_items
from serverless_cart.dynamodb.tokens import shop_to_item, token_from_item
from tools.support.clients import sensitive, unique

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]

_PRODUCT_IDS: Final = count(10**9)
_SEQUENCES: Final = count(1)


@dataclass(frozen=True)
class SessionItem:
    """What the table holds of an item in a search session's cart."""

    amount: int
    clicks: int
    title: str
    price: Decimal | None


@dataclass(frozen=True)
class Database:
    """The stack's table."""

    client: "DynamoDBClient"
    name: str

    # Preparing

    def put(self, items: Iterable[Item]) -> None:
        """Write items as they are."""
        for item in items:
            self.client.put_item(TableName=self.name, Item=item)

    def issue(self, token: Token) -> str:
        """Issue a token and return its key."""
        key = sensitive(auth.new_key())
        self.reissue(key, token)
        return key

    @staticmethod
    def issue_nothing() -> str:
        """Return a well-formed key that opens nothing."""
        return sensitive(auth.new_key())

    def reissue(self, key: str, token: Token) -> None:
        """Change what the table says of a token."""
        self.put(key_to_items(key, token))

    def open_shop(self, shop: Shop) -> Shop:
        """Write a shop's settings."""
        self.put([shop_to_item(shop)])
        return shop

    def sell(
        self,
        shop: str,
        *,
        price: int = 1_000,
        discount: int = 0,
        stock: int | None = None,
        active: bool = True,
        product_id: int | None = None,
    ) -> Product:
        """Write a product of a shop's catalogue, a new one unless its id is given."""
        id_ = next(_PRODUCT_IDS) if product_id is None else product_id
        product = Product(
            id_, f"REF-{id_}", f"Lamp {id_}", f"https://img.example/{id_}", price, discount, stock, active
        )
        self.put([product_to_item(shop, product)])
        return product

    def count(self, counts: Counts) -> None:
        """Write statistics."""
        write_counts(Table(self.name, self.client), counts)

    def new_owner(self, shop: str) -> tuple[Owner, str]:
        """Make a customer of a shop; return who it is, and a token."""
        customer = sensitive(unique("wilhelmina"))
        return Owner(shop, customer), self.issue(Token("customer", shop, customer))

    # Looking up

    def token(self, key: str) -> Token:
        """Return what the table says of a key, with or without its zone."""
        bare = auth.key_of(f"Token {key}")
        assert bare is not None
        item = self._get(keys.token(auth.digest(bare)))
        assert item is not None
        return token_from_item(item)

    def session(self, hashid: str, session_id: str) -> dict[tuple[str, str], SessionItem]:
        """Return a search session's cart by index and id, what has expired left out."""
        answer = self.client.query(
            TableName=self.name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={
                ":pk": {"S": keys.session(Session(hashid.lower(), session_id))},
                ":sk": {"S": keys.session_items()},
            },
            ConsistentRead=True,
        )
        now = time.time()
        return {
            (item["index"]["S"], item["id"]["S"]): SessionItem(
                amount=int(item["amount"]["N"]),
                clicks=int(item["clicks"]["N"]),
                title=item["title"]["S"],
                price=Decimal(item["price"]["N"]) if "price" in item else None,
            )
            for item in answer["Items"]
            if int(item["expires_at"]["N"]) > now
        }

    def events(self, hashid: str, session_id: str) -> dict[str, dict[str, Any]]:
        """Return a search session's events by the kind in their sort keys, values without their types' names.

        Of several events of one kind, it returns the last.
        """
        answer = self.client.query(
            TableName=self.name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": keys.session(Session(hashid.lower(), session_id))}},
            ConsistentRead=True,
        )
        return {
            item["sk"]["S"].partition("#")[0]: {name: next(iter(value.values())) for name, value in item.items()}
            for item in answer["Items"]
            if not item["sk"]["S"].startswith(keys.session_items())
        }

    def count_events(self, hashid: str, session_id: str) -> int:
        """Return the number of items of a search session, its cart included."""
        pk = {":pk": {"S": keys.session(Session(hashid.lower(), session_id))}}
        answer = self.client.query(
            TableName=self.name, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=pk, Select="COUNT"
        )
        return answer["Count"]

    def amounts(self, item_id: str) -> dict[str, int]:
        """Return the amounts of every item with this id, whichever session's, by partition: a scan, no key involved."""
        pages = self.client.get_paginator("scan").paginate(
            TableName=self.name,
            FilterExpression="#id = :id",
            ExpressionAttributeNames={"#id": "id"},
            ExpressionAttributeValues={":id": {"S": item_id}},
        )
        return {
            f"{item['pk']['S']} {item['sk']['S']}": int(item["amount"]["N"]) for page in pages for item in page["Items"]
        }

    def session_item_lifetime(self, hashid: str, session_id: str, item: ItemKey) -> float:
        """Return the seconds that an item still has to live."""
        stored = self._get(keys.session_item(Session(hashid, session_id), item))
        assert stored is not None
        return int(stored["expires_at"]["N"]) - time.time()

    def cart_lifetime(self, owner: Owner) -> float:
        """Return the seconds that a cart still has to live."""
        return int(self._cart(owner)["expires_at"]["N"]) - time.time()

    def cart(self, owner: Owner) -> Item | None:
        """Return all that is written for a customer, as it is stored."""
        return self._get(keys.cart(owner))

    def stock(self, shop: str, product_id: int) -> int:
        """Return the stored stock of a product."""
        stored = self._get(keys.product(shop, product_id))
        assert stored is not None
        return int(stored["stock"]["N"])

    def order(self, order: Order) -> Item | None:
        """Return an order, as it is stored now."""
        return self._get(keys.order(order.shop, order.key))

    def has_cart(self, owner: Owner) -> bool:
        """Return whether anything is stored for a customer."""
        return self.cart(owner) is not None

    # The passage of time, and other short cuts

    def let_session_item_expire(self, hashid: str, session_id: str, item: ItemKey) -> None:
        """Let an item's 24 hours be over."""
        self._expire(keys.session_item(Session(hashid, session_id), item))

    def let_cart_expire(self, owner: Owner) -> None:
        """Let a cart's 30 days be over."""
        self._expire(keys.cart(owner))

    def age_prices(self, owner: Owner, seconds: int) -> None:
        """Let the catalogue's readings that a cart holds be older than they are."""

        def older(line: str) -> str:
            read_at, _, said = line.partition(" ")
            return f"{int(read_at) - seconds * 1000:013d} {said}"

        self._rewrite(owner, "snap#", older)

    def copy_cart(self, source: Owner, target: Owner) -> None:
        """Give a customer the cart of another."""
        self.put([{**self._cart(source), **_key(keys.cart(target))}])

    def drop_from_cart(self, owner: Owner, products: Collection[Product]) -> None:
        """Take products out of a customer's cart."""
        dropped = {f"#{product.id}" for product in products}
        left = {n: value for n, value in self._cart(owner).items() if not n.endswith(tuple(dropped))}
        left["products"] = {"NS": [id_ for id_ in left["products"]["NS"] if f"#{id_}" not in dropped]}
        self.put([left])

    def _rewrite(self, owner: Owner, prefix: str, change: Callable[[str], str]) -> None:
        """Change the texts of a cart whose names begin so."""
        item = self._cart(owner)
        changed = {name: {"S": change(value["S"])} for name, value in item.items() if name.startswith(prefix)}
        assert changed
        self.put([{**item, **changed}])

    def _expire(self, key: Key, in_seconds: int = -1) -> None:
        """Let an item of the table expire, without TTL deleting it."""
        self.client.update_item(
            TableName=self.name,
            Key=_key(key),
            UpdateExpression="SET expires_at = :then",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":then": {"N": str(int(time.time()) + in_seconds)}},
        )

    def _cart(self, owner: Owner) -> Item:
        """Read a cart as it is stored."""
        item = self.cart(owner)
        assert item is not None
        return item

    def _get(self, key: Key) -> Item | None:
        """Read an item."""
        return self.client.get_item(TableName=self.name, Key=_key(key), ConsistentRead=True).get("Item")


def write_counts(table: Table, counts: Counts) -> None:
    """Write statistics as the roll-up does, as one chunk of a stream; each call is a later chunk."""
    sequence = f"{next(_SEQUENCES):040}"
    writes = count_writes(counts, Chunk("shard", sequence, sequence), retention_days=400)
    for start in range(0, len(writes), TRANSACTION):
        table.transact(writes[start : start + TRANSACTION])


def key_to_items(key: str, token: Token) -> list[Item]:
    """Write a token with this key as it is stored."""
    return record_to_items(TokenRecord(token, auth.digest(key), "", key[-4:], 0))


def _key(key: Key) -> Item:
    """Write a primary key as attribute values."""
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}

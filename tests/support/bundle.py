"""The functions in one process, over a table, with a clock to set, calls to count and faults to inject."""

import contextlib
import importlib.util
import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.hooks import BaseEventHooks
from botocore.httpsession import URLLib3Session

from serverless_cart import auth, bootstrap
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.product import Product
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.catalogue import product_to_item
from serverless_cart.dynamodb.tokens import shop_to_item
from tests.support.builders import OWNER
from tests.support.moto_engine import moto
from tools.support.database import key_to_items
from tools.support.events import NOW, SHOP, Event
from tools.support.paths import ROOT
from tools.support.template import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FUNCTIONS = (
    *("authorizer", "stats_cart", "stats_events", "cart", "cart_items", "cart_merge", "checkout", "guests"),
    *(
        "methods",
        "orders",
        "customer_tokens",
        "customer_cart",
        "statistics",
        "shop_orders",
        "statistics_roll_up",
        "release_holds",
    ),
)
TABLE = "table"
NOWHERE = "http://nowhere.invalid/"
"""An address without an engine."""

Item = dict[str, Any]


class Clock:
    """A clock that only moves when it is set. Milliseconds since 1970."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now

    def forward(self, milliseconds: int) -> None:
        self.now += milliseconds


@dataclass(frozen=True)
class Instead:
    """An answer in the engine's place; the engine gets the call only if it is ``applied``."""

    status: int
    body: dict[str, Any]
    applied: bool = False


@dataclass
class DatabaseProbe:
    """Counts the calls from the functions to DynamoDB and injects faults.

    ``before`` and ``after`` run for each attempt of a call: ``before`` may raise instead of the call, ``after`` once
    the engine has answered. ``instead`` may answer in the engine's place. ``alter`` may change the result of a call.
    """

    url: str = ""
    """The engine's address; empty for moto."""
    calls: list[str] = field(default_factory=list)
    before: Callable[[str], None] | None = None
    instead: Callable[[str, dict[str, Any]], Instead | None] | None = None
    after: Callable[[str], None] | None = None
    alter: Callable[[str, dict[str, Any]], None] | None = None

    def watch(self, events: BaseEventHooks) -> None:
        """Register between a session, by its events, and the engine."""
        events.register("before-call.dynamodb", self._on_call)
        events.register("after-call.dynamodb", self._on_result)
        events.register_first("before-send.dynamodb", cast("Callable[..., None]", self._on_send))
        if self.url:
            # More connections than threads, or each call would connect. As boto3's own, they do not wait to send: the
            # system would hold a request's body until the engine has acknowledged the headers, for 40 ms.
            options: list[Any] = [(IPPROTO_TCP, TCP_NODELAY, 1)]  # the type stubs have strings
            engine = URLLib3Session(max_pool_connections=128, socket_options=options)

            def ask(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
                return None if request.url == NOWHERE else engine.send(request)

            events.register("before-send", cast("Callable[..., None]", ask))  # where moto listens otherwise
        events.register_last("before-send", self._on_answer)

    def reset(self) -> None:
        self.calls.clear()
        self.before = self.instead = self.after = self.alter = None

    def _on_call(self, model: Any, **_: object) -> None:
        self.calls.append(model.name)

    def _on_result(self, model: Any, parsed: dict[str, Any], **_: object) -> None:
        if self.alter:
            self.alter(model.name, parsed)

    def _on_send(self, event_name: str, request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        if self.before:
            self.before(operation)
        answer = self.instead(operation, json.loads(cast("bytes", request.body))) if self.instead else None
        if answer is None:
            return None
        if not answer.applied:
            request.url = NOWHERE
        raw = SimpleNamespace(stream=lambda: iter([json.dumps(answer.body).encode()]))
        headers: Any = {"Content-Type": "application/x-amz-json-1.0"}
        return AWSResponse(NOWHERE, answer.status, headers, raw)

    def _on_answer(self, event_name: str, **_: object) -> None:
        if self.after:
            self.after(event_name.rpartition(".")[2])


@dataclass(frozen=True)
class Answer:
    """An answer of a function; ``body`` is its JSON, None without a body."""

    status: int
    body: Any
    headers: dict[str, str]
    text: str


class Context:
    """The context of an invocation."""

    aws_request_id = "c0ffee00-0000-4000-8000-000000000000"
    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:000000000000:function:function"

    def __init__(self, seconds_left: Callable[[], float]) -> None:
        self._left = seconds_left

    def get_remaining_time_in_millis(self) -> int:
        return int(self._left() * 1000)


class Bundle:
    """The functions over their table."""

    def __init__(
        self,
        apps: dict[str, ModuleType],
        client: "DynamoDBClient",
        clock: Clock,
        database: DatabaseProbe,
        log: io.StringIO,
    ) -> None:
        self.apps = apps
        self.client = client
        self.clock = clock
        self.database = database
        self._log = log
        self.seconds_left = 20.0

    def authorize(self, event: Event) -> dict[str, Any]:
        """Call the authorizer."""
        return self.invoke("authorizer", event)

    def send(self, function: str, event: Event) -> Answer:
        """Send a request to a function; its calls to the database are in ``database.calls``."""
        self.database.calls.clear()
        raw = self.invoke(function, event)
        headers = {name: values[0] for name, values in raw["multiValueHeaders"].items()}
        return Answer(raw["statusCode"], json.loads(raw["body"] or "null"), headers, raw["body"])

    def invoke(self, function: str, event: Event) -> dict[str, Any]:
        """Run a function as Lambda does: its event and its answer go through JSON, and what it prints is its log."""
        app = getattr(self.apps[function], "app", None)
        outer = dict(app.context) if app else {}  # of a request that this one comes between
        with contextlib.redirect_stdout(self._log):
            answer = self.apps[function].handler(json.loads(json.dumps(event)), Context(lambda: self.seconds_left))
        if app:
            app.context.update(outer)
        answered: dict[str, Any] = json.loads(json.dumps(answer))
        return answered

    def put(self, *items: Item) -> None:
        """Write items to the table, past the functions."""
        for item in items:
            self.client.put_item(TableName=TABLE, Item=item)

    def sell(self, *products: Product, shop: str = SHOP) -> None:
        """Put products in a shop's catalogue."""
        self.put(*(product_to_item(shop, it) for it in products))

    def withdraw(self, product: Product, shop: str = SHOP) -> None:
        """Take a product out of a shop's catalogue."""
        item = product_to_item(shop, product)
        self.client.delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})

    def open_shop(self, shop: Shop, **keys_of: auth.Token) -> None:
        """Write a shop and its tokens, by their keys, each spelled ``key_<the key>``."""
        self.put(shop_to_item(shop))
        for name, token in keys_of.items():
            self.put(*key_to_items(name.removeprefix("key_"), token))

    def rows(self, prefix: str = "") -> list[Item]:
        """Return the table's items of partitions that begin so, values without their types' names."""
        found = self.client.scan(TableName=TABLE)["Items"]
        return [
            {name: next(iter(value.values())) for name, value in item.items()}
            for item in cast("list[Item]", found)
            if item["pk"]["S"].startswith(prefix)
        ]

    def cart_row(self, owner: Owner = OWNER) -> Item:
        """Return a stored cart."""
        (row,) = self.rows(keys.cart(owner).pk)
        return row

    def fill_cart(self, items: int) -> None:
        """Multiply a cart's one line until it holds this many items, of products 1000, 1001 …."""
        (raw,) = self.client.scan(
            TableName=TABLE,
            FilterExpression="begins_with(pk, :cart)",
            ExpressionAttributeValues={":cart": {"S": "CART#"}},
        )["Items"]
        line = {name: value for name, value in raw.items() if "#" in name and not name.startswith("key#")}
        numbers = range(1000, 1000 + items - 1)
        for number in numbers:
            raw |= {f"{name.partition('#')[0]}#{number}": value for name, value in line.items()}
        raw["products"] = {"NS": [*raw["products"]["NS"], *map(str, numbers)]}
        self.put(raw)

    def logged(self) -> str:
        """Return everything that the functions have logged."""
        return self._log.getvalue()

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the logged lines, each of which is JSON."""
        return [json.loads(line) for line in self.logged().splitlines()]


Loaded = tuple[dict[str, ModuleType], Clock, DatabaseProbe]


@contextlib.contextmanager
def loaded_functions(engine_url: str) -> Iterator[Loaded]:
    """Load the functions once, as a warm Lambda has them, on an engine at an address, or on moto."""
    clock, database = Clock(), DatabaseProbe(engine_url)
    with pytest.MonkeyPatch.context() as patch, nullcontext() if engine_url else moto():
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "LOG_LEVEL"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", engine_url)
        patch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("TABLE_NAME", TABLE)
        patch.setattr(bootstrap, "clock", clock)
        session = botocore.session.get_session()
        database.watch(session.get_component("event_emitter"))
        patch.setattr(boto3, "DEFAULT_SESSION", boto3.Session(botocore_session=session))
        apps = {name: import_app(ROOT / "functions" / name) for name in FUNCTIONS}
        for name in ("authorizer", "customer_tokens"):
            patch.setattr(apps[name], "clock", clock)
        yield apps, clock, database


@contextlib.contextmanager
def bundle_on_new_table(loaded: Loaded, client: "DynamoDBClient") -> Iterator[Bundle]:
    """Return the functions over an empty table, at the moment of the events."""
    create_table(client, TABLE)
    apps, clock, database = loaded
    clock.now = NOW
    database.reset()
    log = io.StringIO()
    for name in FUNCTIONS:
        for handler in logging.getLogger(name).handlers:
            cast("logging.StreamHandler[Any]", handler).stream = log
    yield Bundle(apps, client, clock, database, log)
    client.delete_table(TableName=TABLE)


def import_app(folder: Path) -> ModuleType:
    """Import the function in a folder."""
    spec = importlib.util.spec_from_file_location(f"{folder.name}_app", folder / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

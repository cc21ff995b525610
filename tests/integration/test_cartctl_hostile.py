"""Texts from outside in every command of cartctl: they reach neither the terminal nor the rows raw."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import cartctl.tokens
from cartctl import checks
from cartctl.commands import cart as carts
from cartctl.commands import customer as customers
from cartctl.commands import session as sessions
from cartctl.commands import shop as shops
from cartctl.commands import stats_show
from cartctl.connection import Deployment
from cartctl.findings import Finding, State, not_checked
from cartctl.terminal import visible
from serverless_cart.auth import Token, digest
from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.domain.guests import guest_customer
from serverless_cart.domain.methods import Kind, ShippingMethod
from serverless_cart.domain.session import ItemKey, Session, SessionItemAddition
from serverless_cart.domain.shop import Shop
from serverless_cart.domain.statistics import Counts
from serverless_cart.dynamodb.discounts import DiscountStore
from serverless_cart.dynamodb.methods import MethodStore
from serverless_cart.dynamodb.orders import new_order_writes
from serverless_cart.dynamodb.sessions import SessionStore
from serverless_cart.dynamodb.shops import ShopStore
from serverless_cart.dynamodb.token_registry import TokenRegistry
from serverless_cart.dynamodb.tokens import token_to_item
from tests.support import visits
from tests.support.builders import OWNER, order, product, sold
from tests.support.bundle import Bundle
from tests.support.cart_requests import add
from tests.support.discarded_batches import Queue, Streams
from tests.support.operator import Operator, commands
from tools.support.events import HASHID, SHOP
from tools.support.paths import ROOT

HOSTILE = "\x1b[2J\x1b]0;pwn\x07\r\nTotal 0\t\x00\x7f\x9b31m\u2028\u202e\u2066\u200b\U000e0041[red]x[/] :smile: é"
ESCAPED = visible(HOSTILE)
GUEST = "a" * 40
HOSTILE_CUSTOMER = "\u202eanna"
ORDER = order(
    customer=HOSTILE,
    currency=HOSTILE,
    notes=HOSTILE,
    discount_code=HOSTILE,
    items=(sold(ref=HOSTILE, name=HOSTILE, image=HOSTILE, notes=HOSTILE),),
)
CODES = re.compile(r"\x1b\[(?:[0-9;]*m|2K|1A)|\x1b\[\?25[lh]\r?|\r(?=\x1b\[(?:2K|1A))")
"""Rich's codes for styles and for progress bars."""


@pytest.fixture
def operator(operator: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return an operator of a shop with hostile texts in every field from outside; cartctl itself refuses some."""
    monkeypatch.setattr(carts, "clock", bundle.clock)
    monkeypatch.setattr(sessions, "clock", bundle.clock)
    monkeypatch.setattr(customers, "clock", bundle.clock)
    monkeypatch.setattr(stats_show, "clock", bundle.clock)
    monkeypatch.setattr(shops, "LONGEST_REQUEST", -60)
    table = operator.deployment.table
    hostile = frozenset({HOSTILE})
    ShopStore(table, bundle.clock).create(Shop(SHOP, frozenset({HASHID}), hostile, hostile, HOSTILE))
    tokens = TokenRegistry(table, bundle.clock)
    tokens.issue_key(Token("api_key", SHOP), HOSTILE)
    for customer in (HOSTILE, "anna"):
        tokens.sign_in(Token("customer", SHOP, customer), HOSTILE)
    guest = Token("customer", SHOP, guest_customer(digest(GUEST)), bundle.clock() // 1000 + 60)
    bundle.put(token_to_item(digest(GUEST), guest))
    monkeypatch.setattr(cartctl.tokens, "read_key", lambda: GUEST)
    bundle.sell(product(ref=HOSTILE, name=HOSTILE, image=HOSTILE), shop=SHOP)
    add(bundle, notes=HOSTILE)
    addition = SessionItemAddition(ItemKey(HOSTILE, HOSTILE), HOSTILE, 1, None)
    SessionStore(table, bundle.clock).add(Session(HASHID, "s"), addition)
    counts = Counts()
    visits.visit(counts, bundle.clock(), "s", text=HOSTILE, buys=True)
    visits.write(table, counts)
    DiscountStore(table, SHOP, bundle.clock).create([DiscountCode("OFF", 10)], [HOSTILE])
    MethodStore(table).replace(SHOP, Kind.SHIPPING, [ShippingMethod(3, HOSTILE, HOSTILE)], 0)
    table.transact(new_order_writes(ORDER, 10))
    monkeypatch.setattr(checks, "examine", lambda _: [Finding(HOSTILE, State.FAILURE, HOSTILE, HOSTILE)])
    queue = Queue()
    queue.send(0, 4, HOSTILE)
    clients = {"dynamodbstreams": Streams(), "sqs": queue}
    monkeypatch.setattr(Deployment, "client", lambda _, service: clients[service])
    operator.deployment = replace(operator.deployment, stream_arn="arn", failure_queue_url="https://queue.invalid")
    return operator


@pytest.fixture
def words(operator: Operator, tmp_path: Path) -> Callable[[str], list[str]]:
    """Return a function that returns a command line for each command; a new command needs one here."""

    def write(content: str) -> str:
        file = tmp_path / HOSTILE.replace("\x00", "").replace("/", "")
        file.write_text(content, newline="")
        return str(file)

    lines: dict[str, Callable[[], list[str]]] = {
        "doctor": list,
        "smoke": lambda: [SHOP, "--product", "123"],
        "shop list": list,
        "shop create": lambda: ["new", "--currency", "EUR"],
        "shop show": lambda: [SHOP],
        "shop set": lambda: [SHOP, "--new-engine"],
        "shop delete": lambda: [SHOP, "--yes"],
        "key issue": lambda: [SHOP],
        "key list": lambda: [SHOP],
        "key revoke": lambda: [SHOP, operator.run("key", "list", SHOP)[0]["id"]],
        "customer issue": lambda: [
            *(SHOP, "--from-file", write("bob\n"), "--output", str(tmp_path / "tokens\x1b[2J\u202e"))
        ],
        "customer list": lambda: [SHOP],
        "customer revoke": lambda: [SHOP, "anna"],
        "customer guest": lambda: [SHOP],
        "customer merge": lambda: [SHOP, OWNER.customer],
        "catalogue show": lambda: [SHOP, "123"],
        "catalogue set": lambda: [SHOP, "123", "--price", "1"],
        "catalogue export": lambda: [SHOP, "--output", str(tmp_path / "products\x1b[2J\n.csv")],
        "catalogue import": lambda: [SHOP, write(f'{{"id": 1, {json.dumps(HOSTILE)}: 2}}\n'), "--format", "jsonl"],
        "customer erase": lambda: [SHOP, HOSTILE_CUSTOMER, "--yes"],
        "order list": lambda: [SHOP, "--from", "2025-11-01", "--to", "2025-11-30"],
        "order show": lambda: [SHOP, ORDER.key],
        "order set": lambda: [SHOP, ORDER.key, "processing"],
        "cart show": lambda: [SHOP, OWNER.customer],
        "cart clear": lambda: [SHOP, OWNER.customer, "--yes"],
        "discount create": lambda: [SHOP, "NEW", "--percent", "10"],
        "discount import": lambda: [SHOP, write(f'{{"code": "NEW", {json.dumps(HOSTILE)}: 2}}\n'), "--format", "jsonl"],
        "discount list": lambda: [SHOP],
        "discount show": lambda: [SHOP, "OFF"],
        "discount disable": lambda: [SHOP, "OFF"],
        "method add": lambda: [SHOP, "shipping", "4", "--name", "Parcel"],
        "method list": lambda: [SHOP, "shipping"],
        "method set": lambda: [SHOP, "shipping", "3", "--cost", "1"],
        "method remove": lambda: [SHOP, "shipping", "3", "--yes"],
        "session show": lambda: [HASHID, "s"],
        "stats replay": list,
        "stats show": lambda: [SHOP, "--days", "1"],
    }
    return lambda command: [*command.split(), *lines[command]()]


SILENT = {
    *("shop create", "shop delete", "key issue", "customer guest", "customer erase"),
    *("method add", "method remove", "discount create", "smoke"),
}
"""Commands that print nothing from outside."""
LINES = {
    "order list": 2,
    "order show": 9,
    "cart show": 4,
    "session show": 2,
    "catalogue show": 2,
    "key list": 2,
    "customer list": 3,
    "shop list": 2,
    "stats replay": 2,
    "method list": 2,
    "discount list": 2,
}
"""Lines of tables, whose rows stay one line each."""


@pytest.mark.parametrize("terminal", [False, True], ids=["file", "terminal"])
@pytest.mark.parametrize("command", commands())
def test_command_prints_no_raw_text(
    operator: Operator,
    words: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    *,
    terminal: bool,
) -> None:
    line = words(command)
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")

    result = operator.type(*line)

    assert harmless(result.out + result.err, codes=terminal)
    assert (r"\x1b[2J" in result.out + result.err) is (command not in SILENT)
    if not terminal and command in LINES:
        assert len(result.out.splitlines()) == LINES[command]
        assert ESCAPED in result.out


@pytest.mark.parametrize("command", commands())
def test_command_prints_no_raw_error_of_aws(
    operator: Operator, words: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    line = words(command)

    def fail(*_: object, **__: object) -> None:
        response: Any = {"Error": {"Code": HOSTILE, "Message": HOSTILE}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        raise ClientError(response, "Query")

    operator.deployment.dynamodb.meta.events.register("before-call.dynamodb", fail)
    monkeypatch.setattr(checks, "examine", lambda _: [not_checked("x", error_of(fail))])
    result = operator.type(*line)

    assert result.code
    assert harmless(result.out + result.err)
    assert r"\x1b[2J" in result.out + result.err


def error_of(fail: Callable[[], None]) -> Exception:
    with pytest.raises(ClientError) as error:
        fail()
    return error.value


@pytest.mark.parametrize(
    "line",
    [
        *([HOSTILE.replace("\x00", "")], ["shop", "show", "\udcff\x1b"], ["shop", "list", f"--{HOSTILE}"]),
        *(
            ["cart", "clear", SHOP, "a\u202eb"],
            ["customer", "list", SHOP, HOSTILE],
            ["shop", "create", "x", "--currency", HOSTILE],
        ),
        *(
            ["customer", "issue", SHOP, "--from-file", "/none/\x1b[2J\n", "--output", "x"],
            ["shop", "list", "--local", "--stack", HOSTILE],
        ),
        *(
            ["catalogue", "import", SHOP, "/none/\x1b[2J\n"],
            ["key", "revoke", SHOP, HOSTILE],
            ["key", "issue", SHOP, "--zone", HOSTILE],
        ),
        *(["key", "issue", SHOP, "--expires-in", HOSTILE], ["shop", "set", SHOP, "--unblock", HOSTILE]),
    ],
    ids=ascii,
)
def test_refusal_shows_its_value_as_one_line(operator: Operator, line: list[str]) -> None:
    _, message = operator.fails(*line)

    assert harmless(message)


def harmless(text: str, *, codes: bool = False) -> bool:
    if codes:
        text = CODES.sub("", text)
    return all(character == "\n" or character.isprintable() for character in text)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "utf-8"])
@pytest.mark.parametrize("line", ["cart show", "session show"])
def test_json_is_exact_in_any_encoding(
    operator: Operator, words: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch, line: str, encoding: str
) -> None:
    expected = operator.run(*words(line))
    monkeypatch.setattr(type(sys.stdout), "encoding", encoding, raising=False)

    result = operator.type(*words(line), "--json")

    assert json.loads(result.out.encode(encoding)) == expected
    assert harmless(result.out)


@pytest.mark.parametrize(
    "variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}]
)
@pytest.mark.parametrize(
    "line",
    [
        ["--help"],
        ["shop", "create", "--help"],
        ["shop", "show", "Zoë 😀"],
        ["customer", "issue", "a", "b", "--label", "é" * 200],
    ],
)
def test_no_encoding_makes_a_command_fail(variables: dict[str, str], line: list[str]) -> None:
    result = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "cartctl", *line],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        check=False,
    )

    assert result.returncode in {0, 2}
    assert b"Traceback" not in result.stderr
    (result.stdout + result.stderr).decode("ascii")


@pytest.mark.parametrize("line", [["--help"], ["--version"], ["shop"]])
def test_closed_or_full_output_ends_in_one_line(line: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with Path("/dev/full").open("wb") as full:
        for output, message in ((writer, b""), (full, b"Error: Cannot write the ")):
            result = subprocess.run(  # noqa: S603 - our own command
                [sys.executable, "-m", "cartctl", *line], cwd=ROOT, stdout=output, stderr=subprocess.PIPE, check=False
            )
            assert result.returncode == 1
            assert result.stderr.startswith(message)
            assert len(result.stderr.splitlines()) == bool(message)
    os.close(writer)

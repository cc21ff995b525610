"""cartctl key and cartctl customer: issuing, listing and revoking tokens."""

import csv
import json
import re
import stat
import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from cartctl import tokens
from cartctl.commands import customer
from serverless_cart import auth
from serverless_cart.auth import Principal
from serverless_cart.clock import clock
from serverless_cart.domain.cart import ItemAddition, Owner
from serverless_cart.dynamodb.carts import DynamoDBCartStore
from serverless_cart.dynamodb.token_registry import TokenRegistry
from serverless_cart.dynamodb.tokens import TokenStore
from serverless_cart.service.cart import CartService, Preconditions
from tests.support.builders import product
from tests.support.bundle import TABLE, Bundle
from tests.support.operator import Operator
from tools.support.events import HASHID

pytestmark = pytest.mark.every_engine

KEY = re.compile("[0-9a-f]{40}")
CUSTOMERS = [f"customer-{number}" for number in range(120)]


@pytest.fixture
def operator(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return an operator of a deployment with two shops."""
    monkeypatch.setattr(customer, "THREADS", 1)  # moto's transactions are not atomic across threads
    operator.run("shop", "create", "one", "--engine", HASHID)
    operator.run("shop", "create", "two")
    return operator


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """Write a file of customers with a byte-order mark, Windows line endings, empty lines and a duplicate."""
    file = tmp_path / "customers.txt"
    file.write_bytes("\r\n".join(["\ufeff" + CUSTOMERS[0], "", *CUSTOMERS[1:], CUSTOMERS[0], ""]).encode())
    return file


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "tokens.csv"


def principal_of(operator: Operator, key: str, at: float | None = None) -> Principal | None:
    """Return whom the authorizer finds for a key."""
    bare = auth.key_of(f"Token {key}")
    assert bare
    return TokenStore(operator.deployment.table).principal(auth.digest(bare), time.time() if at is None else at)


def accepted(operator: Operator, *keys: str) -> list[bool]:
    return [principal_of(operator, key) is not None for key in keys]


@pytest.mark.parametrize(
    ("words", "form"),
    [
        ((), "eu1-[0-9a-f]{40}"),
        (("--zone", "us1"), "us1-[0-9a-f]{40}"),
        (("--zone", "none"), "[0-9a-f]{40}"),
    ],
)
def test_api_key_opens_the_search_api_of_its_shop(operator: Operator, words: tuple[str, ...], form: str) -> None:
    issued = operator.run("key", "issue", "one", "--label", "search page", *words)

    assert re.fullmatch(form, issued["key"])
    principal = principal_of(operator, issued["key"], 2**40)
    assert principal
    assert (principal.kind, principal.shop, principal.search_engines) == ("api_key", "one", frozenset({HASHID}))
    assert (issued["label"], issued["expires_at"], issued["state"]) == ("search page", None, "valid")


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ((), 90 * 24 * 3600),
        (("--expires-in", "45s"), 45),
        (("--expires-in", "2h"), 7200),
        (("--expires-in", "never"), 2**40),
    ],
)
def test_customer_token_opens_one_cart_until_it_ends(operator: Operator, words: tuple[str, ...], seconds: int) -> None:
    issued = operator.run("customer", "issue", "one", "Zoë #1/*", *words)

    assert issued["customer"] == "Zoë #1/*"
    principal = principal_of(operator, issued["token"], time.time() + seconds - 30)
    assert principal
    assert (principal.kind, principal.shop, principal.customer) == ("customer", "one", "Zoë #1/*")
    assert ("never" in words) is (principal_of(operator, issued["token"], time.time() + seconds) is not None)


@pytest.mark.parametrize(
    ("words", "form"),
    [((), "[0-9a-f]{40}"), (("--zone", "eu1"), "eu1-[0-9a-f]{40}"), (("--expires-in", "7d"), "[0-9a-f]{40}")],
)
def test_management_key_opens_the_management_api(operator: Operator, words: tuple[str, ...], form: str) -> None:
    issued = operator.run("key", "issue", "one", "--kind", "management", "--label", "sign-in server", *words)

    assert re.fullmatch(form, issued["key"])
    principal = principal_of(operator, issued["key"])
    assert principal
    assert (principal.kind, principal.shop, principal.customer) == ("management", "one", "")
    assert (issued["kind"], issued["label"], issued["state"]) == ("management", "sign-in server", "valid")
    (listed,) = operator.run("key", "list", "one")
    assert {**issued, "key": ""} == {**listed, "key": ""}


def test_list_of_keys_shows_kinds(operator: Operator) -> None:
    result = operator.type("key", "issue", "one", "--kind", "management")
    assert result.out.startswith("Management key  ")
    operator.run("key", "issue", "one")

    header, api, management = operator.type("key", "list", "one").out.splitlines()

    assert header.split()[:2] == ["Id", "Kind"]
    assert " API key " in api
    assert " management key " in management
    code, message = operator.fails("key", "issue", "one", "--kind", "secret")
    assert code == 2
    assert "'secret' is not a kind of key: choose from api and management" in message


def test_both_kinds_of_keys_are_revoked(operator: Operator) -> None:
    by_id, leaked, api = (
        operator.run("key", "issue", "one", "--kind", kind) for kind in ("management", "management", "api")
    )

    operator.run("key", "revoke", "one", by_id["id"], api["id"])
    assert operator.type("key", "revoke", "one", "--stdin", stdin=leaked["key"]).code == 0

    assert accepted(operator, by_id["key"], leaked["key"], api["key"]) == [False] * 3


def test_customer_command_keeps_the_limit(operator: Operator, monkeypatch: pytest.MonkeyPatch, output: Path) -> None:
    monkeypatch.setattr("serverless_cart.dynamodb.token_registry.CUSTOMER_TOKENS", 3)
    issued = [operator.run("customer", "issue", "one", "anna")["token"] for _ in range(4)]

    assert accepted(operator, *issued) == [False, True, True, True]
    assert operator.type(*issue_many("-", output), stdin="anna\n").code == 0
    assert accepted(operator, *issued) == [False, False, True, True]


def test_key_is_shown_once_and_not_stored(operator: Operator, bundle: Bundle) -> None:
    keys = [
        operator.run("key", "issue", "one")["key"].removeprefix("eu1-"),
        operator.run("customer", "issue", "one", "anna")["token"],
    ]
    result = operator.type("key", "issue", "one", "--label", "x")
    (shown,) = KEY.findall(result.out)

    listed = operator.type("key", "list", "one").out + operator.type("customer", "list", "one", "--json").out
    for key in (*keys, shown):
        assert key not in str(bundle.rows())
        assert key[:-4] not in listed
        assert key[-4:] in listed
    assert result.err == "Save the key now: it is not shown again.\n"


def issue_many(names: object, output: Path) -> tuple[str, ...]:
    return ("customer", "issue", "one", "--from-file", str(names), "--output", str(output))


def read_tokens(file: Path) -> dict[str, str]:
    with file.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    assert header == ["customer", "token"]
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def test_file_of_customers_gets_a_token_each(operator: Operator, names: Path, output: Path) -> None:
    calls = count()

    def stop(**_: object) -> None:
        if next(calls) == 70:  # in the second part
            raise KeyboardInterrupt

    operator.deployment.dynamodb.meta.events.register("before-call.dynamodb.TransactWriteItems", stop)
    assert operator.type(*issue_many(names, output)).code == 130
    written = read_tokens(output)
    assert list(written) == CUSTOMERS[: customer.CHUNK]

    assert operator.run(*issue_many(names, output)) == {"issued": 120 - 64, "left_out": 64 + 1, "output": str(output)}
    tokens = read_tokens(output)
    assert list(tokens) == CUSTOMERS
    assert tokens.items() >= written.items()
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    principals = [principal_of(operator, key) for key in tokens.values()]
    assert [principal and principal.customer for principal in principals] == CUSTOMERS
    unused = len(operator.run("customer", "list", "one")) - 120
    assert 6 <= unused < customer.CHUNK, "of the interrupted part"


def test_truncated_line_is_issued_again(operator: Operator, output: Path) -> None:
    output.touch(0o600)
    output.write_text("customer,token\r\nanna,0123456789")

    assert operator.type(*issue_many("-", output), stdin="anna\nbob\n").code == 0

    *_, (first, key), (second, _) = csv.reader(output.read_text().splitlines())
    assert (first, second) == ("anna", "bob")
    assert accepted(operator, key) == [True]


def test_unsuitable_file_is_refused(operator: Operator, names: Path, output: Path) -> None:
    output.touch(0o644)
    message = f"Others may read {output}: run chmod 600 {output}, or name a new file."
    assert operator.fails(*issue_many(names, output)) == (2, message)

    output.chmod(0o600)
    output.write_text("something else\n")
    assert operator.fails(*issue_many(names, output)) == (2, f"{output} is not a token file: name a new file.")
    assert output.read_text() == "something else\n"

    folder, missing = output.parent, output.parent / "none.txt"
    assert operator.fails(*issue_many(names, folder)) == (
        2,
        f"Cannot write {folder}: Is a directory. Name another file.",
    )
    assert operator.fails(*issue_many(missing, output)) == (
        2,
        f"Cannot read {missing}: No such file or directory. Name another file.",
    )
    assert operator.run("customer", "list", "one") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"anna\nb\x00ob\n", "Line 2: a customer"),
        (b"anna\n" + b"x" * 257, "Line 2: a customer"),
        (
            b"anna\nZo\xeb\n",
            "The file of customers is not UTF-8 (invalid continuation byte): save it as UTF-8. Nothing was issued.",
        ),
    ],
)
def test_bad_file_of_customers_issues_nothing(
    operator: Operator, tmp_path: Path, output: Path, content: bytes, message: str
) -> None:
    names = tmp_path / "customers.txt"
    names.write_bytes(content)

    code, line = operator.fails(*issue_many(names, output))

    assert code == 2
    assert line.startswith(message)
    assert line.endswith("Nothing was issued.")
    assert operator.run("customer", "list", "one") == []


def test_list_has_tokens_of_one_shop_and_kind(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert operator.run("key", "list", "one") == operator.run("customer", "list", "one") == []
    key = operator.run("key", "issue", "one", "--label", "a")
    anna = operator.run("customer", "issue", "one", "anna")
    ann = operator.run("customer", "issue", "one", "ann", "--expires-in", "1h")
    operator.run("key", "issue", "two")
    later = time.time() + 3600
    monkeypatch.setattr(tokens, "time", SimpleNamespace(time=lambda: later))

    assert [token["id"] for token in operator.run("key", "list", "one")] == [key["id"]]
    states = {token["id"]: token["state"] for token in operator.run("customer", "list", "one")}
    assert states == {anna["id"]: "valid", ann["id"]: "expired"}
    assert [token["id"] for token in operator.run("customer", "list", "one", "ann")] == [ann["id"]]
    table = operator.type("key", "list", "one").out
    for part in (key["id"], " a ", "valid"):
        assert part in table


def test_revoked_key_is_refused_and_others_stay(operator: Operator) -> None:
    issued = [operator.run("key", "issue", "one") for _ in range(3)]

    (revoked,) = operator.run("key", "revoke", "one", issued[0]["id"])

    assert (revoked["id"], revoked["state"]) == (issued[0]["id"], "revoked")
    assert accepted(operator, *(key["key"] for key in issued)) == [False, True, True]
    states = {token["id"]: token["state"] for token in operator.run("key", "list", "one")}
    assert [states[key["id"]] for key in issued] == ["revoked", "valid", "valid"]
    assert operator.run("key", "revoke", "one", issued[0]["id"]) == [revoked], "a second time, without effect"


def test_id_may_be_shortened_while_unique(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = iter(["0" * 40, "1" * 40, "f" * 40])
    monkeypatch.setattr("serverless_cart.dynamodb.token_registry.new_key", lambda: next(keys))
    monkeypatch.setattr("serverless_cart.dynamodb.token_registry.digest", lambda key: f"ab{key}")
    for _ in range(2):
        operator.run("key", "issue", "one")

    ambiguous = "More than one token id begins with ab: write more characters of it."
    assert operator.fails("key", "revoke", "one", "ab") == (1, ambiguous)
    unknown = "There is no token cd: run the list command to see the ids."
    assert operator.fails("key", "revoke", "one", "ab1", "cd") == (3, unknown)
    assert {token["state"] for token in operator.run("key", "list", "one")} == {"valid"}
    assert [token["last4"] for token in operator.run("key", "revoke", "one", "AB1")] == ["1111"]


def test_leaked_key_is_revoked_from_stdin(operator: Operator) -> None:
    issued, other = (operator.run("key", "issue", "one") for _ in range(2))

    result = operator.type("key", "revoke", "one", "--stdin", "--json", stdin=issued["key"] + "\n")

    assert [token["id"] for token in json.loads(result.out)] == [issued["id"]]
    assert result.err == "Revoked tokens stop working within 60 seconds, the authorizer's cache time.\n"
    assert accepted(operator, issued["key"], other["key"]) == [False, True]
    assert issued["key"] not in result.out


def test_leaked_key_of_another_shop_or_kind_is_refused(operator: Operator) -> None:
    key, own = (operator.run("key", "issue", shop)["key"] for shop in ("two", "one"))
    token = operator.run("customer", "issue", "one", "anna")["token"]
    revoke = ("revoke", "one", "--stdin")

    no_such_key = (3, "Shop one has no such key: check the name of the shop.")
    for unknown in (key, "0" * 40):
        assert operator.fails("key", *revoke, stdin=unknown) == no_such_key
    a_token = (3, "This is a customer token: run cartctl customer revoke one --stdin.")
    assert operator.fails("key", *revoke, stdin=token) == a_token
    a_key = (3, "This is an API key: run cartctl key revoke one --stdin.")
    assert operator.fails("customer", *revoke, stdin=own) == a_key
    management = operator.run("key", "issue", "one", "--kind", "management")["key"]
    another = (3, "This is a management key: run cartctl key revoke one --stdin.")
    assert operator.fails("customer", *revoke, stdin=management) == another
    assert accepted(operator, key, own, token) == [True, True, True]
    assert operator.type("customer", *revoke, stdin=token).code == 0
    assert accepted(operator, token) == [False]


def test_customer_tokens_are_revoked_by_id_or_all(operator: Operator) -> None:
    annas = [operator.run("customer", "issue", "one", "anna") for _ in range(3)]
    bob = operator.run("customer", "issue", "one", "bob")
    tokens = [issued["token"] for issued in (*annas, bob)]

    operator.run("customer", "revoke", "one", "anna", "--id", annas[0]["id"])
    assert accepted(operator, *tokens) == [False, True, True, True]
    message = "Revoke all 2 tokens of anna? Cannot ask without a terminal: pass --yes to confirm."
    assert operator.fails("customer", "revoke", "one", "anna") == (2, message)
    operator.run("customer", "revoke", "one", "anna", "--yes")
    assert accepted(operator, *tokens) == [False, False, False, True]
    assert operator.fails("customer", "revoke", "one", "anna", "--id", bob["id"])[0] == 3
    assert operator.type("customer", "revoke", "one", "anna").out == "There are no valid tokens to revoke.\n"


def test_deleted_token_is_not_recreated_by_revoke(
    operator: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = operator.run("key", "issue", "one")
    records = list(TokenRegistry(operator.deployment.table, bundle.clock).keys("one"))
    for row in bundle.rows("TOKEN"):
        bundle.client.delete_item(TableName=TABLE, Key={"pk": {"S": row["pk"]}, "sk": {"S": row["sk"]}})
    monkeypatch.setattr(TokenRegistry, "keys", lambda *_: iter(records))

    message = "Someone else has just deleted a token: list the tokens and try again."
    assert operator.fails("key", "revoke", "one", issued["id"]) == (1, message)
    assert bundle.rows("TOKEN") == []


def test_guest_is_created_and_merged(operator: Operator, bundle: Bundle) -> None:
    guest = operator.run("customer", "guest", "one")
    bundle.sell(product(), shop="one")
    carts = CartService(DynamoDBCartStore(operator.deployment.table, clock), clock)
    carts.add(Owner("one", guest["customer"]), ItemAddition(123, 2, "gift"), Preconditions())

    merged = operator.type("customer", "merge", "one", "anna", "--json", stdin=guest["token"])

    assert [(line["quantity"], line["notes"]) for line in json.loads(merged.out)["items"]] == [(2, "gift")]
    assert carts.peek(Owner("one", guest["customer"])).items == ()
    assert operator.fails("customer", "merge", "two", "anna", stdin=guest["token"])[0] == 3
    assert operator.fails("customer", "merge", "one", "anna", stdin="x")[0] == 2
    code, message = operator.fails("customer", "issue", "one", guest["customer"])
    assert code == 2
    assert "does not begin with guest:" in message

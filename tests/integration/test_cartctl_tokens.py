"""cartctl key and cartctl customer: issuing, listing and revoking what opens a shop's APIs."""

import csv
import json
import re
import stat
import time
from pathlib import Path

import pytest

from serverless_cart import auth
from serverless_cart.auth import Principal
from serverless_cart.dynamodb.token_registry import TokenRegistry
from serverless_cart.dynamodb.tokens import TokenStore
from tests.integration.operator import Operator
from tests.support.bundle import Bundle
from tools.support.events import HASHID

BARE = re.compile("[0-9a-f]{40}")
CUSTOMERS = [f"customer-{number}" for number in range(120)]


@pytest.fixture
def operator(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    """Put an operator before a shop, with another beside it."""
    assert bundle.rows() == []
    operator = Operator(monkeypatch, capsys)
    operator.run("shop", "create", "one", "--engine", HASHID)
    operator.run("shop", "create", "two")
    return operator


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """Write a file of customers, one of them twice, with a byte-order mark, Windows line ends and empty lines."""
    file = tmp_path / "customers.txt"
    file.write_bytes("\r\n".join(["\ufeff" + CUSTOMERS[0], "", *CUSTOMERS[1:], CUSTOMERS[0], ""]).encode())
    return file


def opens(operator: Operator, key: str, at: float | None = None) -> Principal | None:
    """Ask as the authorizer does whom a key belongs to."""
    bare = auth.key_of(f"Token {key}")
    assert bare
    return TokenStore(operator.deployment.table).principal(auth.digest(bare), time.time() if at is None else at)


# ----------------------------------------------------------------------------------------------------------------------
# Issuing
# ----------------------------------------------------------------------------------------------------------------------


def test_an_api_key_opens_its_shop_s_search_api(operator: Operator) -> None:
    issued = operator.run("key", "issue", "one", "--label", "search page")

    assert re.fullmatch("eu1-[0-9a-f]{40}", issued["key"])
    principal = opens(operator, issued["key"])
    assert principal
    assert (principal.kind, principal.shop, principal.search_engines) == ("api_key", "one", frozenset({HASHID}))
    assert (issued["label"], issued["expires_at"], issued["state"]) == ("search page", None, "valid")


@pytest.mark.parametrize(("zone", "form"), [("us1", "us1-[0-9a-f]{40}"), ("none", "[0-9a-f]{40}")])
def test_a_key_carries_the_zone_that_its_client_expects(operator: Operator, zone: str, form: str) -> None:
    issued = operator.run("key", "issue", "one", "--zone", zone)

    assert re.fullmatch(form, issued["key"])
    assert opens(operator, issued["key"])


def test_a_customer_s_token_opens_that_customer_s_cart(operator: Operator) -> None:
    issued = operator.run("customer", "issue", "one", "Zoë #1/*")

    principal = opens(operator, issued["token"])
    assert principal
    assert (principal.kind, principal.shop, principal.customer) == ("customer", "one", "Zoë #1/*")
    assert issued["customer"] == "Zoë #1/*"


@pytest.mark.parametrize(
    ("words", "seconds"), [((), 90 * 24 * 3600), (("--expires-in", "45s"), 45), (("--expires-in", "2h"), 7200)]
)
def test_a_customer_s_token_expires(operator: Operator, words: tuple[str, ...], seconds: int) -> None:
    token = operator.run("customer", "issue", "one", "anna", *words)["token"]

    assert opens(operator, token, time.time() + seconds - 30)
    assert opens(operator, token, time.time() + seconds) is None


def test_a_token_lives_for_ever_where_that_is_said(operator: Operator) -> None:
    token = operator.run("customer", "issue", "one", "anna", "--expires-in", "never")["token"]

    assert opens(operator, token, 2**40)


def test_a_key_is_nowhere_but_in_the_one_answer(operator: Operator, bundle: Bundle) -> None:
    keys = [
        operator.run("key", "issue", "one")["key"].removeprefix("eu1-"),
        operator.run("customer", "issue", "one", "anna")["token"],
    ]
    ended = operator.type("key", "issue", "one", "--label", "x")
    (shown,) = BARE.findall(ended.out)

    listed = operator.type("key", "list", "one").out + operator.type("customer", "list", "one", "--json").out
    for key in (*keys, shown):
        assert key not in str(bundle.rows())
        assert key[:-4] not in listed
        assert key[-4:] in listed
    assert "shown this once" in ended.err
    assert shown not in ended.err


@pytest.mark.parametrize("noun", [("key", "issue", "none"), ("customer", "issue", "none", "anna")])
def test_nothing_is_issued_for_a_shop_that_is_not_there(
    operator: Operator, bundle: Bundle, noun: tuple[str, ...]
) -> None:
    before = bundle.rows()

    assert operator.fails(*noun) == (3, "There is no open shop none: cartctl shop list names them.")
    assert bundle.rows() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("key", "issue", "one", "--expires-in", "90"), "write it as 90d, 12h, 30m or 45s, or never"),
        (("key", "issue", "one", "--expires-in", "0d"), "write it as 90d"),
        (("key", "issue", "one", "--zone", "eu2"), "choose from eu1, us1, ap1 and none"),
        (("key", "issue", "one", "--label", "x" * 101), "a label has at most 100 characters"),
        (("key", "issue", "one", "--label", "a\x1b[2J"), "none of them control characters"),
        (("key", "revoke", "one"), "Name the keys by their ids"),
        (("key", "revoke", "one", "abc", "--stdin"), "Name the keys by their ids"),
        (("key", "revoke", "one", "--stdin"), "That is no key"),
        (("customer", "issue", "one"), "Name a customer, or many with --from-file"),
        (("customer", "issue", "one", " anna"), "without spaces at its ends"),
        (("customer", "issue", "one", "a\nb"), "without control characters"),
        (("customer", "issue", "one", "ä" * 129), "at most 256 bytes"),
        (("customer", "issue", "one", "--from-file", "-"), "name a file with --output"),
        (("customer", "issue", "one", "anna", "--output", "x"), "Name a customer, or many"),
        (("customer", "issue", "one", "anna", "--from-file", "-", "--output", "x"), "name no customer"),
        (("customer", "revoke", "one"), "Name the customer, or give the token"),
        (("customer", "revoke", "one", "anna", "--stdin"), "Name the customer, or give the token"),
    ],
)
def test_a_wrong_command_line_is_told_and_nothing_is_done(
    operator: Operator, bundle: Bundle, arguments: tuple[str, ...], said: str
) -> None:
    before = bundle.rows()
    code, line = operator.fails(*arguments)

    assert (code, said in line) == (2, True), line
    assert bundle.rows() == before


# ----------------------------------------------------------------------------------------------------------------------
# Many at once
# ----------------------------------------------------------------------------------------------------------------------


def rows_of(file: Path) -> dict[str, str]:
    """Read a file of tokens."""
    with file.open(newline="") as lines:
        head, *rows = csv.reader(lines)
    assert head == ["customer", "token"]
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def test_a_token_is_issued_for_each_customer_of_a_file(operator: Operator, names: Path, tmp_path: Path) -> None:
    output = tmp_path / "tokens.csv"

    shown = operator.run("customer", "issue", "one", "--from-file", str(names), "--output", str(output))

    assert shown == {"issued": 120, "left_out": 0, "output": str(output)}
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert list(rows_of(output)) == CUSTOMERS
    for customer, key in rows_of(output).items():
        principal = opens(operator, key)
        assert principal
        assert principal.customer == customer
    assert len(operator.run("customer", "list", "one")) == 120


def test_customers_are_read_from_standard_input_too(operator: Operator, tmp_path: Path) -> None:
    output = tmp_path / "tokens.csv"

    ended = operator.type("customer", "issue", "one", "--from-file", "-", "--output", str(output), stdin="anna\nbob\n")

    assert ended.code == 0
    assert list(rows_of(output)) == ["anna", "bob"]


def test_issuing_that_was_interrupted_goes_on(operator: Operator, names: Path, tmp_path: Path) -> None:
    output = tmp_path / "tokens.csv"
    calls = iter([None, KeyboardInterrupt])

    def stop(**_: object) -> None:
        if interruption := next(calls, None):
            raise interruption

    events = operator.deployment.dynamodb.meta.events
    events.register("before-call.dynamodb.TransactWriteItems", stop)
    command = ("customer", "issue", "one", "--from-file", str(names), "--output", str(output))
    assert operator.type(*command).code == 130
    written = rows_of(output)
    assert list(written) == CUSTOMERS[:49]

    assert operator.run(*command)["issued"] == 71
    assert list(rows_of(output)) == CUSTOMERS
    assert rows_of(output).items() >= written.items()
    assert len(operator.run("customer", "list", "one")) == 120


def test_a_line_that_was_cut_short_is_not_taken_for_a_token(operator: Operator, tmp_path: Path) -> None:
    output = tmp_path / "tokens.csv"
    output.touch(0o600)
    output.write_text("customer,token\r\nanna,0123456789")

    command = ("customer", "issue", "one", "--from-file", "-", "--output", str(output))
    assert operator.type(*command, stdin="anna\n").code == 0

    *_, (customer, key) = csv.reader(output.read_text().splitlines())
    assert customer == "anna"
    assert opens(operator, key)


def test_tokens_are_not_written_where_others_may_read(operator: Operator, names: Path, tmp_path: Path) -> None:
    output = tmp_path / "tokens.csv"
    output.touch(0o644)
    command = ("customer", "issue", "one", "--from-file", str(names), "--output")

    assert operator.fails(*command, str(output)) == (
        2,
        f"Others may read {output}: chmod 600 {output}, or name a new file.",
    )
    output.chmod(0o600)
    output.write_text("something else\n")
    assert "is not a file of tokens" in operator.fails(*command, str(output))[1]
    assert output.read_text() == "something else\n"
    assert "cannot be written: Is a directory" in operator.fails(*command, str(tmp_path))[1]
    assert operator.run("customer", "list", "one") == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"anna\nb\x00ob\n", "Line 2: a customer's id is a text without control characters"),
        (b"anna\nZo\xeb\n", "is not UTF-8"),
        (b"anna\n" + b"x" * 257, "Line 2: a customer's id has at most 256 bytes. Nothing was issued."),
    ],
)
def test_a_bad_file_of_customers_issues_nothing(operator: Operator, tmp_path: Path, content: bytes, said: str) -> None:
    names = tmp_path / "customers.txt"
    names.write_bytes(content)

    code, line = operator.fails(
        "customer", "issue", "one", "--from-file", str(names), "--output", str(tmp_path / "tokens.csv")
    )

    assert (code, said in line) == (2, True), line
    assert operator.run("customer", "list", "one") == []


def test_a_file_of_customers_that_is_not_there_is_told(operator: Operator, tmp_path: Path) -> None:
    missing = tmp_path / "none.txt"

    command = ("customer", "issue", "one", "--from-file", str(missing), "--output", str(tmp_path / "tokens.csv"))
    assert operator.fails(*command) == (2, f"{missing} cannot be read: No such file or directory.")


# ----------------------------------------------------------------------------------------------------------------------
# Listing and revoking
# ----------------------------------------------------------------------------------------------------------------------


def test_each_kind_and_each_shop_has_its_own_list(operator: Operator) -> None:
    assert operator.run("key", "list", "one") == operator.run("customer", "list", "one") == []
    key = operator.run("key", "issue", "one", "--label", "a")
    anna = operator.run("customer", "issue", "one", "anna")
    ann = operator.run("customer", "issue", "one", "ann")
    operator.run("key", "issue", "two")

    assert [it["id"] for it in operator.run("key", "list", "one")] == [key["id"]]
    assert {it["id"] for it in operator.run("customer", "list", "one")} == {anna["id"], ann["id"]}
    assert [it["id"] for it in operator.run("customer", "list", "one", "ann")] == [ann["id"]]
    table = operator.type("key", "list", "one").out
    assert (key["id"] in table, " a " in table, "valid" in table) == (True, True, True)


def test_an_expired_token_is_listed_as_such(operator: Operator) -> None:
    operator.run("customer", "issue", "one", "anna", "--expires-in", "1s")
    time.sleep(1.1)

    assert [it["state"] for it in operator.run("customer", "list", "one")] == ["expired"]


def test_a_revoked_key_opens_nothing_and_others_stay(operator: Operator) -> None:
    keys = [operator.run("key", "issue", "one") for _ in range(3)]

    (revoked,) = operator.run("key", "revoke", "one", keys[0]["id"])

    assert (revoked["id"], revoked["state"]) == (keys[0]["id"], "revoked")
    assert [bool(opens(operator, key["key"])) for key in keys] == [False, True, True]
    states = {it["id"]: it["state"] for it in operator.run("key", "list", "one")}
    assert [states[key["id"]] for key in keys] == ["revoked", "valid", "valid"]
    assert operator.run("key", "revoke", "one", keys[0]["id"]) == [revoked], "and stays so"


def test_an_id_may_be_shortened_while_it_is_the_only_one(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["0" * 40, "1" * 40, "f" * 40])
    monkeypatch.setattr("serverless_cart.dynamodb.token_registry.new_key", lambda: next(drawn))
    monkeypatch.setattr("serverless_cart.dynamodb.token_registry.digest", lambda key: f"ab{key}")
    for _ in range(2):
        operator.run("key", "issue", "one")

    assert operator.fails("key", "revoke", "one", "ab") == (
        1,
        "More than one token's id begins with ab: write more of it.",
    )
    assert operator.fails("key", "revoke", "one", "ab1", "cd") == (
        3,
        "There is no token cd: the command list shows their ids.",
    )
    assert {it["state"] for it in operator.run("key", "list", "one")} == {"valid"}
    assert [it["last4"] for it in operator.run("key", "revoke", "one", "AB1")] == ["1111"]


def test_a_key_that_leaked_is_revoked_by_itself(operator: Operator) -> None:
    issued = operator.run("key", "issue", "one")
    other = operator.run("key", "issue", "one")

    ended = operator.type("key", "revoke", "one", "--stdin", "--json", stdin=issued["key"] + "\n")

    assert [it["id"] for it in json.loads(ended.out)] == [issued["id"]]
    assert "within 60 seconds" in ended.err
    assert (opens(operator, issued["key"]), bool(opens(operator, other["key"]))) == (None, True)
    assert issued["key"] not in ended.out + ended.err


def test_a_leaked_key_of_elsewhere_is_not_revoked(operator: Operator) -> None:
    key = operator.run("key", "issue", "two")["key"]
    token = operator.run("customer", "issue", "one", "anna")["token"]

    assert operator.fails("key", "revoke", "one", "--stdin", stdin=key)[0] == 3
    assert operator.fails("key", "revoke", "one", "--stdin", stdin="0" * 40)[0] == 3
    assert operator.fails("key", "revoke", "one", "--stdin", stdin=token) == (
        3,
        "It is of the other kind: cartctl customer revoke one --stdin revokes it.",
    )
    assert operator.fails("key", "revoke", "one", "--stdin", stdin="nonsense")[0] == 2
    assert opens(operator, key)
    assert operator.type("customer", "revoke", "one", "--stdin", stdin=token).code == 0
    assert opens(operator, token) is None


def test_the_tokens_of_a_customer_are_revoked_together_or_one_by_one(operator: Operator) -> None:
    annas = [operator.run("customer", "issue", "one", "anna") for _ in range(3)]
    bob = operator.run("customer", "issue", "one", "bob")

    operator.run("customer", "revoke", "one", "anna", "--id", annas[0]["id"])
    assert [bool(opens(operator, it["token"])) for it in (*annas, bob)] == [False, True, True, True]
    code, line = operator.fails("customer", "revoke", "one", "anna")
    assert (code, line) == (2, "Revoke all 2 tokens of anna? Nobody is there to ask: confirm with --yes.")
    operator.run("customer", "revoke", "one", "anna", "--yes")
    assert [bool(opens(operator, it["token"])) for it in (*annas, bob)] == [False, False, False, True]
    assert operator.fails("customer", "revoke", "one", "anna", "--id", bob["id"])[0] == 3


def test_a_token_that_went_in_the_meantime_is_told(
    operator: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = operator.run("key", "issue", "one")
    listed = list(TokenRegistry(operator.deployment.table, bundle.clock).api_keys("one"))
    for row in bundle.rows("TOKEN"):
        bundle.client.delete_item(TableName="table", Key={"pk": {"S": row["pk"]}, "sk": {"S": row["sk"]}})
    monkeypatch.setattr(TokenRegistry, "api_keys", lambda *_: iter(listed))

    assert "deleted by somebody else" in operator.fails("key", "revoke", "one", issued["id"])[1]
    assert bundle.rows("TOKEN") == [], "and is not brought back"

"""cartctl discount import: the codes of a file."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from serverless_cart.clock import clock
from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.dynamodb.discounts import CREATED_AT_ONCE, DiscountStore
from serverless_cart.dynamodb.shops import ShopStore
from tests.support.bundle import Bundle
from tests.support.operator import Operator, Result
from tools.support.events import SHOP

pytestmark = pytest.mark.every_engine

HEADER = "code,percent,amount,minimum,starts,ends,max_uses,max_uses_per_customer,label"
ROW = "Summer,10,,5000,2026-06-01,2026-08-31T23:59:59+02:00,1000,1,newsletter"
VALUES = {
    "code": "Summer",
    "percent": 10,
    "amount": None,
    "minimum": 5000,
    "starts": "2026-06-01",
    "ends": "2026-08-31T23:59:59+02:00",
    "max_uses": 1000,
    "max_uses_per_customer": 1,
    "label": "newsletter",
}
NOTHING = "Nothing was created, because the file has bad rows."


@pytest.fixture
def operator(operator: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return an operator of a shop with the code Ten, of 10 percent."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    bundle.database.watch(operator.deployment.session.events)
    operator.run("shop", "create", SHOP)
    operator.run("discount", "create", SHOP, "Ten", "--percent", "10")
    bundle.database.calls.clear()
    return operator


def type_import(operator: Operator, content: str, *options: str) -> Result:
    """Import a file from standard input."""
    return operator.type("discount", "import", SHOP, "-", *options, stdin=content)


def import_(operator: Operator, content: str, *options: str) -> dict[str, int]:
    """Import a file that must have no bad rows; return the counts that are not 0."""
    result = type_import(operator, content, "--json", *options)
    assert not result.code, result.err
    return counts(json.loads(result.out))


def counts(result: dict[str, Any]) -> dict[str, int]:
    return {name: result[name] for name in ("rows", "new", "existing", "bad", "created") if result[name]}


def codes(operator: Operator) -> list[dict[str, Any]]:
    """Return the codes of the shop, without the times of their creation."""
    found: list[dict[str, Any]] = operator.run("discount", "list", SHOP)
    return [{name: value for name, value in code.items() if name != "created_at"} for code in found]


def many(count: int) -> str:
    return "code\n" + "".join(f"C{number:04}\n" for number in range(count))


@pytest.mark.parametrize("content", [f"{HEADER}\n{ROW}\n", json.dumps(VALUES) + "\n"], ids=["csv", "jsonl"])
def test_file_creates_the_codes_of_the_options(operator: Operator, content: str) -> None:
    words = [f"--{name.replace('_', '-')}={value}" for name, value in VALUES.items() if name != "code" and value]
    operator.run("discount", "create", SHOP, "other", *words)

    assert import_(operator, content) == {"rows": 1, "new": 1, "created": 1}
    other, created, _ = codes(operator)
    assert created == other | {"code": "Summer"}


def test_row_wins_over_the_options(operator: Operator) -> None:
    content = "code,percent,minimum,max-uses,label\nA,,,,\nB,5,0,7,mine\n"

    import_(operator, content, "--amount", "500", "--minimum", "2000", "--max-uses", "1", "--label", "ours")

    names = ("code", "percent", "amount", "minimum", "max_uses", "label")
    assert [[code[name] for name in names] for code in codes(operator)[:2]] == [
        ["A", None, 500, 2000, 1, "ours"],
        ["B", 5, None, 0, 7, "mine"],
    ]


def test_codes_are_created_49_a_call(operator: Operator, bundle: Bundle) -> None:
    content = many(2 * CREATED_AT_ONCE + 1)

    assert import_(operator, content, "--percent", "5") == dict.fromkeys(("rows", "new", "created"), 99)
    assert Counter(bundle.database.calls) == {"GetItem": 1, "BatchGetItem": 1, "TransactWriteItems": 3}
    bundle.database.calls.clear()

    assert import_(operator, content.lower(), "--percent", "5") == {"rows": 99, "existing": 99}
    assert Counter(bundle.database.calls) == {"GetItem": 1, "BatchGetItem": 1}


def test_dry_run_creates_nothing(operator: Operator, bundle: Bundle) -> None:
    before = bundle.rows()

    assert import_(operator, "code\nTEN\nNEW\n", "--percent", "10", "--dry-run") == {"rows": 2, "new": 1, "existing": 1}
    assert bundle.rows() == before


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("two words,5", "code 'two words' is refused: a code has 1 to 64 visible characters, no spaces"),
        ("A,0", "percent must be an integer from 1 to 100"),
        ("A,5 %", "percent must be an integer: 10 means 10 %"),
        ("A, ", "percent has only spaces: leave it empty for none"),
        ("A,", "a code takes off either a percentage or an amount"),
        ("A,5,5", "a code takes off either a percentage or an amount"),
        ("A,,5.00", "amount must be an integer: amounts are in minor units, 1250 means 12.50"),
        ("A,5,,-1", "minimum must be an integer from 0 to 2^53-1"),
        ("A,5,,,soon", "starts 'soon' is not a moment: write 2026-06-01 or 2026-06-01T08:00:00+02:00"),
        ("A,5,,,2026-02-01,2026-01-01", "the code ends before it starts"),
        ("A,5,,,,,0", "max_uses must be an integer from 1 to 2^53-1"),
        (f"A,5,,,,,,,{'x' * 101}", f"label '{'x' * 40}' is refused: a label has at most 100 characters"),
        ("ＧＯＯＤ,5", "code 'ＧＯＯＤ' is already used in line 2"),  # noqa: RUF001
        (
            "TEN,,500,900,2026-06-01,2026-06-02T00:00+02:00,7,1,new",
            (
                "code 'TEN' exists already, with percent 10 instead of none, amount none instead of 500, minimum 0 "
                "instead of 900, starts none instead of 2026-06-01T00:00:00+00:00, ends none instead of "
                "2026-06-01T22:00:00+00:00, max_uses none instead of 7, max_uses_per_customer none instead of 1, "
                "label '' instead of 'new'"
            ),
        ),
        ("OFF,10", "code 'OFF' exists already, with state disabled instead of active"),
    ],
)
def test_bad_row_refuses_the_file(operator: Operator, bundle: Bundle, row: str, reason: str) -> None:
    operator.run("discount", "create", SHOP, "OFF", "--percent", "10")
    operator.run("discount", "disable", SHOP, "OFF")
    before = bundle.rows()
    filled = f"{row}{',' * (8 - row.count(','))}"

    result = type_import(operator, f"{HEADER}\ngood,5,,,,,,,\n{filled}\n")

    assert result.code == 4
    bad, nothing = result.err.splitlines()
    assert bad.startswith(f"line 3: {reason}")
    assert nothing == NOTHING
    assert bundle.rows() == before


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"code": 7}, "code must be text"),
        ({"code": "A", "percent": "5"}, "percent must be an integer"),
        ({"code": "A", "percent": 5, "ends": 7}, "ends must be text"),
        ({"percent": 5}, "code is missing"),
        ({"code": "A", "price": 5}, "unknown field 'price'"),
    ],
)
def test_bad_object_refuses_the_file(operator: Operator, value: dict[str, Any], reason: str) -> None:
    result = type_import(operator, json.dumps(value) + "\n")

    assert (result.code, f"line 1: {reason}" in result.err) == (4, True), result.err


def test_bad_rows_after_100_are_in_the_file_of_errors(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"

    result = type_import(operator, many(120), "--errors", str(file))

    assert result.code == 4
    assert result.err.splitlines()[100:] == ["and 20 more bad rows: see the file of --errors.", NOTHING]
    assert len(file.read_text().splitlines()) == 120


@pytest.mark.parametrize(
    ("percent", "outcome"),
    [("5", {"rows": 60, "new": 59, "existing": 1, "created": 59}), ("6", "Line 51: code 'C0049' exists already")],
)
def test_code_created_meanwhile_is_compared(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, percent: str, outcome: Any
) -> None:
    create = DiscountStore.create

    def create_after_another(store: DiscountStore, discounts: list[DiscountCode], labels: list[str]) -> Any:
        monkeypatch.setattr(DiscountStore, "create", create)
        create(store, [DiscountCode("c0049", int(percent))])
        return create(store, discounts, labels)

    monkeypatch.setattr(DiscountStore, "create", create_after_another)

    if isinstance(outcome, dict):
        assert import_(operator, many(60), "--percent", "5") == outcome
    else:
        result = type_import(operator, many(60), "--percent", "5")
        assert (result.code, outcome in result.err, "49 codes of the file are created" in result.err) == (1, True, True)
        assert len(codes(operator)) == 51


@pytest.mark.parametrize(
    ("stop", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "Interrupted: 49 codes are created. Run the same command again to continue."),
        (ReadTimeoutError(endpoint_url=""), 1, "DynamoDB throttles or does not answer: 49 codes are created."),
    ],
)
def test_interrupted_import_continues(
    operator: Operator, bundle: Bundle, stop: BaseException, code: int, message: str
) -> None:
    def interrupt(**_: object) -> None:
        if bundle.database.calls.count("TransactWriteItems") > 1:
            raise stop

    events = operator.deployment.dynamodb.meta.events
    events.register("before-send.dynamodb.TransactWriteItems", interrupt)

    result = type_import(operator, many(60), "--percent", "5")

    assert (result.code, message in result.err) == (code, True), result.err
    events.unregister("before-send.dynamodb.TransactWriteItems", interrupt)
    assert import_(operator, many(60), "--percent", "5") == {"rows": 60, "new": 11, "existing": 49, "created": 11}


def test_closed_shop_gets_no_codes(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    find = DiscountStore.find

    def find_and_close(store: DiscountStore, keys: list[str]) -> Any:
        shops = ShopStore(operator.deployment.table, clock)
        record = shops.find(SHOP)
        assert record
        shops.close(record)
        return find(store, keys)

    monkeypatch.setattr(DiscountStore, "find", find_and_close)

    result = type_import(operator, many(3), "--percent", "5")

    assert (result.code, "has just been closed" in result.err) == (1, True), result.err


@pytest.mark.parametrize(
    ("content", "options", "code", "message"),
    [
        (b"code\n", ["--percent", "5", "--amount", "5"], 2, "either a percentage or an amount"),
        (b"code\n", ["--percent", "5", "--starts", "2026-02-01", "--ends", "2026-01-01"], 2, "before it starts"),
        (b"code\n", ["--errors", "codes.csv"], 2, "--errors names the imported file itself"),
        (b"name,percent\n", [], 1, "The header needs the column code"),
        (b"code,colour\n", [], 1, "The columns of a file of discount codes are code, percent"),
        (
            gzip.compress(many(9_000).encode())[:-9],
            ["--percent", "5"],
            1,
            "it ends too early): get it again. Nothing was",
        ),
    ],
)
def test_unsuitable_file_is_refused(
    operator: Operator,
    bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    content: bytes,
    options: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("codes.csv").write_bytes(content)
    before = bundle.rows()

    failed, shown = operator.fails("discount", "import", SHOP, "codes.csv", *options)

    assert (failed, message in shown) == (code, True), shown
    assert bundle.rows() == before

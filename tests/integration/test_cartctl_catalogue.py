"""cartctl catalogue: importing, exporting and showing products."""

import csv
import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from cartctl import catalogue_import, connection
from cartctl.catalogue_file import written
from cartctl.commands import catalogue as commands
from cartctl.errors import CartctlError, ExitCode
from cartctl.row_file import Format
from serverless_cart.clock import clock
from serverless_cart.domain.product import Product
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb import keys, table
from serverless_cart.dynamodb.catalogue import Catalogue, product_from_item, product_to_item
from serverless_cart.dynamodb.shops import ShopStore
from tests.support.builders import product
from tests.support.bundle import TABLE, Bundle
from tests.support.operator import Operator, Result

HEADER = "id,ref,name,price,stock"
LEASE = {"GetItem": 1, "PutItem": 1, "DeleteItem": 1}
"""The calls that check the shop and hold the lease on its catalogue."""
COUNTS = ("rows", "new", "changed", "unchanged", "bad", "not_in_file", "pruned")
Save = Callable[..., str]


@pytest.fixture
def operator(operator: Operator, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return an operator of shop one, which is empty, and shop two, which has product 7."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    bundle.database.watch(operator.deployment.session.events)
    shops = ShopStore(operator.deployment.table, clock)
    shops.create(Shop("one"))
    shops.create(Shop("two"))
    bundle.sell(product(7, name="Another shop's"), shop="two")
    bundle.database.calls.clear()
    return operator


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Return a function that writes products to a file."""

    def save(*products: Product, form: Format = Format.CSV) -> str:
        file = tmp_path / f"products.{form}"
        file.write_bytes(content(products, form))
        return str(file)

    return save


def content(products: Any, form: Format = Format.CSV) -> bytes:
    return b"".join(written(products, form))


def many(count: int) -> list[Product]:
    return [product(number) for number in range(1, count + 1)]


def stored(operator: Operator, shop: str = "one") -> list[Product]:
    """Return the products in a shop's part of the table."""
    items: list[Any] = operator.deployment.dynamodb.scan(TableName=TABLE)["Items"]
    products = [product_from_item(item) for item in items if item["pk"]["S"].startswith(f"PRODUCT#{shop}#")]
    return sorted(products, key=lambda product: product.id)


def import_(operator: Operator, file: str, *options: str) -> dict[str, int]:
    """Import a file that must have no bad rows; return the counts that are not 0."""
    return counts(operator.run("catalogue", "import", "one", file, *options))


def type_import(operator: Operator, rows: str, *options: str, header: str = HEADER) -> Result:
    """Import rows from standard input."""
    return operator.type("catalogue", "import", "one", "-", *options, stdin=f"{header}\n{rows}")


def counts(result: dict[str, Any]) -> dict[str, int]:
    return {name: result[name] for name in COUNTS if result[name]}


def fields(out: str) -> dict[str, str]:
    """Parse the lines of a result."""
    return {line.split("  ")[0]: line.rpartition("  ")[2].strip() for line in out.splitlines()}


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(commands, "sys", SimpleNamespace(stdin=terminal, stdout=sys.stdout))


@pytest.mark.parametrize("form", Format)
def test_new_products_are_stored(operator: Operator, save: Save, form: Format) -> None:
    products = [*many(230), product(231, image=None, stock=None, active=False, discount=0)]

    result = operator.run("catalogue", "import", "one", save(*products, form=form))

    assert counts(result) == {"rows": 231, "new": 231}
    assert (result["shop"], result["bad_rows"], result["dry_run"]) == ("one", [], False)
    assert stored(operator) == products


def test_only_differing_products_are_written(operator: Operator, bundle: Bundle, save: Save) -> None:
    file = save(*many(230))
    import_(operator, file)
    assert Counter(bundle.database.calls) == {**LEASE, "BatchGetItem": 3, "BatchWriteItem": 10}
    bundle.database.calls.clear()

    assert import_(operator, file) == {"rows": 230, "unchanged": 230}
    assert Counter(bundle.database.calls) == {**LEASE, "BatchGetItem": 3}
    bundle.database.calls.clear()

    products = [*many(220), *(product(number, price=9_999) for number in range(221, 231)), product(231), product(232)]
    assert import_(operator, save(*products)) == {"rows": 232, "new": 2, "changed": 10, "unchanged": 220}
    assert Counter(bundle.database.calls) == {**LEASE, "BatchGetItem": 3, "BatchWriteItem": 1, "UpdateItem": 10}
    assert stored(operator) == products
    assert [product.name for product in stored(operator, "two")] == ["Another shop's"]


def test_change_of_any_field_is_written(operator: Operator, save: Save) -> None:
    changes: list[dict[str, Any]] = [
        {"ref": "x"}, {"name": "x"}, {"image": None}, {"price": 1}, {"discount": 1}, {"stock": None}, {"stock": 0},
        {"active": False},
    ]  # fmt: skip
    import_(operator, save(*(product(number, discount=0) for number in range(len(changes)))))
    changed = [product(number, **{"discount": 0, **change}) for number, change in enumerate(changes)]

    assert import_(operator, save(*changed)) == {"rows": 8, "changed": 8}
    assert stored(operator) == changed


def test_option_or_content_decides_the_format(operator: Operator, save: Save) -> None:
    file = save()  # products.csv
    Path(file).write_bytes(content([product(7)], Format.JSONL))

    result = type_import(operator, "", header='{"id": 8, "ref": "CUP", "name": "Cup", "price": 990, "stock": 12}\n')
    import_(operator, file, "--format", "jsonl")

    assert (result.code, result.err, fields(result.out)["New"]) == (0, "", "1")
    assert stored(operator) == [product(7), Product(8, "CUP", "Cup", None, 990, 0, 12, active=True)]


def test_dry_run_counts_and_writes_nothing(operator: Operator, bundle: Bundle, save: Save) -> None:
    import_(operator, save(*many(5)))
    file = save(product(1), product(2, price=9_999), product(6))
    bundle.database.calls.clear()

    result = operator.type("catalogue", "import", "one", file, "--dry-run", "--prune", "--json")

    data = json.loads(result.out)
    assert counts(data) == {"rows": 3, "new": 1, "changed": 1, "unchanged": 1, "not_in_file": 3}
    assert (data["dry_run"], result.err) == (True, "Dry run: nothing was written.\n")
    assert data["changes"] == [
        {"id": 2, "new": False, "changes": {"price": {"old": 1250, "new": 9_999}}},
        {"id": 6, "new": True, "changes": {}},
    ]
    assert data["would_be_pruned"] == [3, 4, 5]
    assert set(bundle.database.calls) == {"GetItem", "BatchGetItem", "Query"}
    assert stored(operator) == many(5)


SOLD_OUT = product(7, image="https://img.example/7.jpg", price=1000, discount=250, stock=3, active=False)


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        ("id,ref,name,price,stock\n7,REF-7,Product 7,1490,5\n", {"price": 1490, "stock": 5}),
        ("id,price\n7,1600\n", {"price": 1600}),
        ("stock,id\n9,7\n", {"stock": 9}),
        ("id,stock\n7,\n", {"stock": None}),
        ("id,active,image\n7,true,\n", {"active": True, "image": None}),
        ("id,discount\n7,\n", {"discount": 0}),
        ("id,name\n7,Cup\n", {"name": "Cup"}),
        ('{"id": 7, "price": 1600}\n', {"price": 1600}),
        ('{"id": 7, "stock": null, "active": true}\n', {"stock": None, "active": True}),
        ("id,price,active\n7,1000,false\n", {}),
    ],
)
def test_import_changes_only_the_given_columns(
    operator: Operator, bundle: Bundle, content: str, changes: dict[str, Any]
) -> None:
    bundle.sell(SOLD_OUT, shop="one")
    written: list[Any] = []
    events = operator.deployment.dynamodb.meta.events
    events.register("provide-client-params.dynamodb.UpdateItem", lambda params, **_: written.append(params))

    header, _, row = content.partition("\n")
    result = json.loads(type_import(operator, row, "--json", header=header).out)

    assert stored(operator) == [SOLD_OUT._replace(**changes)]
    assert result["changed_columns"] == dict.fromkeys(sorted(changes, key=Product._fields.index), 1)
    names = {name for it in written for name in it["ExpressionAttributeNames"].values()}
    assert names - {"pk"} == set(changes), "no other attribute is written"


@pytest.mark.parametrize(
    ("content", "reasons"),
    [
        ("id,price\n7,249\n", "discount must be an integer from 0 to the price (the product has discount 250)"),
        ("id,discount\n7,1001\n", "discount must be an integer from 0 to the price (the product has price 1000)"),
        ("id,stock\n7,-1\n", "stock must be an integer from 0 to 2^53-1, or nothing"),
        ("id,price\n8,100\n", "product 8 is new, and a new product needs ref, name, stock"),
        ("id,stock,discount\n8,1,1\n", "product 8 is new, and a new product needs ref, name, price"),
        ('{"id": 8, "ref": "R", "name": "N", "stock": 1}\n', "product 8 is new, and a new product needs price"),
    ],
)
def test_row_without_a_valid_product_is_bad(operator: Operator, bundle: Bundle, content: str, reasons: str) -> None:
    bundle.sell(SOLD_OUT, shop="one")
    header, _, row = content.partition("\n")

    result = type_import(operator, row, header=header)

    assert (result.code, result.err) == (4, f"line {1 if header[0] == '{' else 2}: {reasons}\n")
    assert stored(operator) == [SOLD_OUT]


def test_bad_rows_are_reported_in_order(operator: Operator, bundle: Bundle, tmp_path: Path) -> None:
    bundle.sell(*many(600), shop="one")
    faulty = {line for line in range(2, 602) if line % 7 == 0 or line % 5 == 0}
    prices = ("x" if line % 7 == 0 else "-1" if line % 5 == 0 else "1250" for line in range(2, 602))
    rows = "".join(f"{number},{price}\n" for number, price in enumerate(prices, start=1))

    errors = tmp_path / "errors.jsonl"

    type_import(operator, rows, "--errors", str(errors), header="id,price")

    assert [json.loads(line)["line"] for line in errors.read_text().splitlines()] == sorted(faulty)


def test_product_deleted_during_an_import_is_reported(operator: Operator, bundle: Bundle) -> None:
    bundle.sell(*many(3), shop="one")

    def delete(operation: str, _answer: dict[str, Any]) -> None:
        if operation == "BatchGetItem":
            bundle.withdraw(product(2), shop="one")

    bundle.database.alter = delete

    result = type_import(operator, "1,9\n2,9\n3,9\n", header="id,stock")

    message = "line 3: product 2 was deleted during the import: import the row again\n"
    assert (result.code, result.err) == (4, message)
    assert fields(result.out)["Changed"] == "2 (stock 2)"
    assert stored(operator) == [product(1, stock=9), product(3, stock=9)]


def test_lost_answer_of_a_change_is_repeated(operator: Operator, bundle: Bundle) -> None:
    bundle.sell(product(7), shop="one")
    lost: list[str] = []

    def lose(operation: str) -> None:
        if operation == "UpdateItem" and not lost:
            lost.append(operation)
            raise ReadTimeoutError(endpoint_url="https://dynamodb.invalid")

    bundle.database.after = lose

    assert type_import(operator, "7,9\n", header="id,stock").code == 0
    assert (lost, stored(operator)) == (["UpdateItem"], [product(7, stock=9)])


BAD = "1,A,One,12.50,5\n2,B,Two,1250,5\n2,C,Again,1250,5\n3,D,Three,1250\n\n2,B,Two,1250,5\n4,E,Four,1250,\n"
BAD_PRICE = (
    "price must be an integer: amounts are in minor units, 1250 means 12.50; pass --prices major for decimal amounts"
)
MESSAGES = {
    2: BAD_PRICE,
    4: "id 2 is already used in line 3",
    5: "expected 5 fields, found 4",
    7: "id 2 is already used in line 3",
}


def test_bad_rows_are_reported_and_others_imported(operator: Operator) -> None:
    result = type_import(operator, BAD)

    assert result.code == 4
    assert result.err.splitlines() == [f"line {line}: {message}" for line, message in MESSAGES.items()]
    shown = fields(result.out)
    assert (shown["Rows"], shown["New"], shown["Bad"]) == ("6", "2", "4")
    assert [(it.id, it.name, it.stock) for it in stored(operator)] == [(2, "Two", 5), (4, "Four", None)]

    result = type_import(operator, BAD, "--json")
    assert (result.code, result.err) == (4, "")
    data = json.loads(result.out)
    assert counts(data) == {"rows": 6, "unchanged": 2, "bad": 4}
    assert data["bad_rows"] == [{"line": line, "reasons": [message]} for line, message in MESSAGES.items()]


def test_id_may_be_used_in_one_good_row(operator: Operator) -> None:
    rows = "".join(f"{number},R,N,1,1\n" for number in [*range(1, 301), 1])

    result = type_import(operator, "300,B,Two,x,5\n" + rows)

    assert result.err == f"line 2: {BAD_PRICE}\nline 303: id 1 is already used in line 3\n"
    assert len(stored(operator)) == 300


def test_bad_rows_after_100_are_only_counted(operator: Operator, tmp_path: Path) -> None:
    rows = "".join(f"{number},R,N,x,1\n" for number in range(150))
    errors = tmp_path / "errors.jsonl"

    listed = type_import(operator, rows).err.splitlines()
    listed_with_file = type_import(operator, rows, "--errors", str(errors)).err.splitlines()

    assert len(listed) == 101
    assert listed[-1] == "and 50 more bad rows: pass --errors FILE to get all of them."
    assert listed_with_file[-1] == "and 50 more bad rows: see the file of --errors."
    assert [json.loads(line) for line in errors.read_text().splitlines()] == [
        {"line": line, "reasons": [BAD_PRICE]} for line in range(2, 152)
    ]


def test_unsuitable_file_is_refused(operator: Operator, save: Save, tmp_path: Path) -> None:
    file, missing, link, wrong = save(*many(2)), tmp_path / "none.csv", tmp_path / "link.csv", tmp_path / "wrong.csv"
    link.symlink_to(file)
    wrong.write_bytes(b"id,ref,name,price,stok\n1,A,One,1250,5\n")

    for name in (file, str(link)):
        message = "--errors names the imported file itself: name another file."
        assert operator.fails("catalogue", "import", "one", file, "--errors", name) == (2, message)
    code, line = operator.fails("catalogue", "import", "one", str(wrong))
    assert (code, line.partition(".")[0]) == (1, "Unknown columns: 'stok'")
    for path, reason in ((missing, "No such file or directory"), (tmp_path, "Is a directory")):
        assert operator.fails("catalogue", "import", "one", str(path)) == (
            2,
            f"Cannot read {path}: {reason}. Name another file.",
        )
    assert stored(operator) == []
    assert Path(file).read_bytes() == content(many(2))


def use_input(monkeypatch: pytest.MonkeyPatch, lines: list[bytes], error: BaseException) -> None:
    """Let standard input raise an error after some lines."""
    remaining = iter(lines)

    def read1(_size: int) -> bytes:
        if line := next(remaining, b""):
            return line
        raise error

    file = SimpleNamespace(read1=read1, seekable=lambda: False)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file))


def test_read_error_fails(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    use_input(monkeypatch, [], OSError(5, "Input/output error"))

    with pytest.raises(CartctlError, match=r"^Cannot read -: Input/output error\."):
        import_(operator, "-")


DELETING = (1, "Shop one is being deleted: run cartctl shop delete one to finish.")


def close(operator: Operator) -> None:
    shops = ShopStore(operator.deployment.table, clock)
    shop_record = shops.find("one")
    assert shop_record
    shops.close(shop_record)


def test_import_stops_when_the_shop_is_deleted(
    operator: Operator, bundle: Bundle, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_import, "RECHECK_SECONDS", 0.0)

    def close_shop(operation: str) -> None:
        if operation == "BatchGetItem":
            bundle.database.before = None
            close(operator)

    bundle.database.before = close_shop

    assert operator.fails("catalogue", "import", "one", save(*many(2_500))) == DELETING
    imported = stored(operator)
    assert len(imported) < 2_500
    assert operator.fails("catalogue", "import", "one", save(*many(2_500))) == DELETING
    assert stored(operator) == imported


def test_interrupted_import_continues(
    operator: Operator, bundle: Bundle, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = list(written(many(400), Format.CSV))
    use_input(monkeypatch, lines[:251], KeyboardInterrupt())  # the header, and two and a half chunks

    with pytest.raises(CartctlError) as interrupted:
        import_(operator, "-")

    assert interrupted.value.exit_code == 130
    assert str(interrupted.value) == "Interrupted: 200 rows are done. Run the same command again to continue."
    assert stored(operator) == many(200)
    bundle.database.calls.clear()

    assert import_(operator, save(*many(400))) == {"rows": 400, "new": 200, "unchanged": 200}
    assert Counter(bundle.database.calls)["BatchWriteItem"] == 8
    assert stored(operator) == many(400)


def test_throttled_import_continues(
    operator: Operator, bundle: Bundle, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ATTEMPTS", 2)
    file = save(*many(500))

    def throttle(operation: str, answer: dict[str, Any]) -> None:
        if operation == "BatchWriteItem" and bundle.database.calls.count("BatchWriteItem") > 8:
            answer["UnprocessedItems"] = {TABLE: [{"PutRequest": {"Item": product_to_item("one", product(1))}}]}

    bundle.database.alter = throttle

    code, line = operator.fails("catalogue", "import", "one", file)

    assert code == 1
    assert line.startswith("DynamoDB throttles or does not answer: ")
    assert line.endswith(" rows are done. Run the same command again to continue.")
    assert 0 < len(stored(operator)) < 500
    bundle.database.alter = None
    import_(operator, file)
    assert stored(operator) == many(500)


def test_concurrent_chunks_are_limited(operator: Operator, save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    levels: list[int] = []
    running = 0

    class CountingCatalogue(Catalogue):
        def find(self, ids: Any) -> dict[int, Product]:
            nonlocal running
            running += 1
            levels.append(running)
            found = super().find(ids)
            running -= 1
            return found

    monkeypatch.setattr(commands, "Catalogue", CountingCatalogue)
    monkeypatch.setattr(catalogue_import, "THREADS", 2)

    import_(operator, save(*many(2_000)))

    assert len(levels) == 20
    assert max(levels) <= 2


def test_prune_deletes_products_not_in_the_file(operator: Operator, save: Save) -> None:
    import_(operator, save(*many(120)))
    kept = [product for product in many(120) if product.id % 3]
    file = save(*kept, product(121))

    assert operator.run("catalogue", "import", "one", file)["not_in_file"] is None
    assert stored(operator) == many(121), "without --prune"
    result = import_(operator, file, "--prune", "--yes", "--prune-limit", "34")

    assert result == {"rows": 81, "unchanged": 81, "not_in_file": 40, "pruned": 40}
    assert stored(operator) == [*kept, product(121)]
    assert len(stored(operator, "two")) == 1


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("1,A,One,1250,5\n2,B,Two,12.50,5\n", "the file has bad rows"),
        ("1,A,One,12.50,5\n", "the file has bad rows"),
        ("", "the file has no products"),
    ],
)
def test_doubtful_file_prunes_nothing(operator: Operator, save: Save, rows: str, reason: str) -> None:
    import_(operator, save(*many(3)))

    result = type_import(operator, rows, "--prune", "--yes")

    assert result.code == ExitCode.INCOMPLETE
    assert result.err.splitlines()[-1] == f"Nothing was pruned, because {reason}."
    assert "Pruned" not in fields(result.out)
    assert [product.id for product in stored(operator)] == [1, 2, 3]


def test_dry_run_lists_the_first_changes(operator: Operator, save: Save) -> None:
    import_(operator, save(product(1), *many(80)[20:]))
    new = product(1, name="Cup", image=None, stock=None, active=False)
    file = save(new, *(product(number) for number in range(100, 125)))

    result = operator.type("catalogue", "import", "one", file, "--dry-run", "--prune")

    image, stock = f'"{product(1).image}"', product(1).stock
    assert result.err.splitlines() == [
        f'id 1: name "Product 1" -> "Cup", image {image} -> none, stock {stock} -> no limit, active true -> false',
        *(f"id {number}: new" for number in range(100, 119)),
        *(f"id {number}: not in the file, would be deleted" for number in range(21, 41)),
        "and 40 more that would be deleted.",
        "and 6 more new or changed products.",
        "Dry run: nothing was written.",
    ]
    assert stored(operator) == [product(1), *many(80)[20:]]


@pytest.mark.parametrize(
    ("options", "kept", "remaining"),
    [
        (("--yes",), 8, 8),
        (("--yes",), 7, 10),
        (("--yes", "--prune-limit", "29"), 7, 10),
        (("--yes", "--prune-limit", "30"), 7, 7),
        (("--yes", "--prune-limit", "100"), 1, 1),
        (("--yes", "--prune-limit", "0"), 9, 10),
    ],
)
def test_pruning_a_large_share_needs_permission(
    operator: Operator, save: Save, options: tuple[str, ...], kept: int, remaining: int
) -> None:
    import_(operator, save(*many(10)))
    # New products do not make the share smaller.
    file = save(*many(kept), *(product(number) for number in range(100, 150)))

    result = operator.type("catalogue", "import", "one", file, "--prune", *options)

    assert len(stored(operator)) == remaining + 50
    assert result.code == (4 if remaining == 10 else 0)
    limit, percent = options[2] if len(options) > 2 else "20", 100 - 10 * kept
    refusal = (
        f"Nothing was pruned: {10 - kept} of 10 products ({percent} %) are not in the file, more than {limit} %. Check "
        f"that the file is complete. To delete them, run the same command with --prune-limit {percent}.\n"
    )
    assert result.err == (refusal if remaining == 10 else "")


def test_prune_limit_needs_prune(operator: Operator, save: Save) -> None:
    message = "--prune-limit has no effect without --prune: add it."
    assert operator.fails("catalogue", "import", "one", save(*many(2)), "--prune-limit", "50") == (2, message)


def test_yes_does_not_answer_for_a_large_share(operator: Operator, save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    import_(operator, save(*many(10)))
    use_terminal(monkeypatch)

    result = operator.type("catalogue", "import", "one", save(*many(7)), "--prune", "--yes", stdin="n\n")

    assert "Delete 3 products that are not in the file? They are 30 % of the catalogue." in result.err
    assert (result.code, stored(operator)) == (4, many(10))


@pytest.mark.parametrize(("answer", "remaining"), [("y\n", 1), ("n\n", 3), ("", 3)], ids=["yes", "no", "Ctrl-D"])
def test_prune_asks_first(
    operator: Operator, save: Save, monkeypatch: pytest.MonkeyPatch, answer: str, remaining: int
) -> None:
    import_(operator, save(*many(3)))
    use_terminal(monkeypatch)

    result = operator.type("catalogue", "import", "one", save(product(1)), "--prune", stdin=answer)

    assert "Delete 2 products that are not in the file?" in result.err
    shown = fields(result.out)
    assert (shown["Not in the file"], shown["Pruned"]) == ("2", str(3 - remaining))
    assert result.code == (0 if remaining == 1 else 4)
    assert len(stored(operator)) == remaining


def test_prune_without_terminal_imports_nothing(
    operator: Operator, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = (2, "Cannot ask without a terminal: pass --yes to prune.")
    assert operator.fails("catalogue", "import", "one", save(*many(2)), "--prune") == refused
    use_terminal(monkeypatch)
    assert operator.fails("catalogue", "import", "one", "-", "--prune", stdin=f"{HEADER}\n") == refused
    assert stored(operator) == []


def test_export_is_sorted_by_id(
    operator: Operator, bundle: Bundle, save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    products = [product(0), *many(230), product(10**9), product(2**53 - 1)]
    import_(operator, save(*reversed(products)))
    file = tmp_path / "out.jsonl"
    bundle.database.calls.clear()

    result = operator.run("catalogue", "export", "one", "--output", str(file))

    assert result == {"shop": "one", "products": 233, "output": str(file), "format": "jsonl"}
    assert Counter(bundle.database.calls) == {"GetItem": 1, "Query": keys.CATALOGUE_PARTITIONS}
    assert file.read_bytes() == content(products, Format.JSONL)
    monkeypatch.setattr(table, "PAGE", 3)
    for form, options in ((Format.CSV, ()), (Format.JSONL, ("--format", "jsonl"))):
        shown = operator.type("catalogue", "export", "one", *options)
        assert (shown.code, shown.err, shown.out.encode()) == (0, "", content(products, form))


def test_failed_export_keeps_the_file(operator: Operator, bundle: Bundle, save: Save, tmp_path: Path) -> None:
    import_(operator, save(*many(50)))
    file = tmp_path / "out.csv"
    file.write_text("before")

    def interrupt(operation: str) -> None:
        if operation == "Query" and bundle.database.calls.count("Query") > 8:
            raise KeyboardInterrupt

    bundle.database.before = interrupt

    assert operator.fails("catalogue", "export", "one", "--output", str(file))[0] == ExitCode.INTERRUPTED
    assert file.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "products.csv"]


def test_export_needs_a_regular_file(operator: Operator, tmp_path: Path) -> None:
    export = ("catalogue", "export", "one")
    for name in (tmp_path, Path("/dev/null")):
        message = f"{name} is not a regular file: name another file."
        assert operator.fails(*export, "--output", str(name)) == (2, message)
    file = tmp_path / "none" / "out.csv"
    assert operator.fails(*export, "--output", str(file)) == (
        1,
        f"Cannot write {file}: No such file or directory. Name another file.",
    )
    assert operator.fails(*export, "--json") == (2, "--json needs --output: name the file of the products.")


def test_show_prints_products_in_the_given_order(operator: Operator, bundle: Bundle) -> None:
    products = [product(8), product(7, name="[red]:cat:[/] [bold", image=None, stock=None, active=False)]
    bundle.sell(*products, shop="one")
    assert operator.run("catalogue", "show", "one", "8", "7", "8") == [product._asdict() for product in products]

    shown = operator.type("catalogue", "show", "one", "6", "7", "9")

    assert (shown.code, shown.err) == (3, "Error: Shop one has no product 6, 9: check the ids.\n")
    for part in ("REF-7", "no limit", "[red]:cat:[/] [bold"):
        assert part in shown.out
    for id_ in ("-1", "x", "1.5", str(2**53)):
        assert operator.fails("catalogue", "show", "one", "--", id_)[0] == ExitCode.USAGE


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        (("--price", "1490"), {"price": 1490}),
        (("--price", "100", "--discount", "0", "--stock", "4"), {"price": 100, "discount": 0, "stock": 4}),
        (("--stock", "none", "--active"), {"stock": None, "active": True}),
        (("--image", "none", "--ref", "X"), {"ref": "X", "image": None}),
        (("--image", "", "--name", "Cup"), {"name": "Cup", "image": None}),
        (("--inactive", "--price", "1000"), {}),
    ],
)
def test_set_changes_the_given_values(
    operator: Operator, bundle: Bundle, options: tuple[str, ...], changes: dict[str, Any]
) -> None:
    bundle.sell(SOLD_OUT, shop="one")

    result = operator.run("catalogue", "set", "one", "7", *options)

    before = SOLD_OUT._asdict()
    assert result == {
        "shop": "one",
        "id": 7,
        "changes": {name: {"old": before[name], "new": new} for name, new in changes.items()},
    }
    assert stored(operator) == [SOLD_OUT._replace(**changes)]
    assert bundle.database.calls.count("UpdateItem") == bool(changes)


def test_set_shows_old_and_new_values(operator: Operator, bundle: Bundle) -> None:
    bundle.sell(SOLD_OUT, shop="one")

    shown = operator.type("catalogue", "set", "one", "7", "--price", "1490", "--stock", "none", "--name", "Cup")
    again = operator.type("catalogue", "set", "one", "7", "--price", "1490")

    assert fields(shown.out) == {
        "Product": "7", "Name": '"Product 7" -> "Cup"', "Price": "1000 -> 1490", "Stock": "3 -> no limit"
    }  # fmt: skip
    assert (again.code, again.err) == (0, "Product 7 has these values already.\n")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("7",), 2, "Nothing to change: pass --price, --stock or another option."),
        (("8", "--price", "1"), 3, "Shop one has no product 8: check the id, or add the product with cartctl"),
        (
            ("7", "--price", "12.90"),
            2,
            "Invalid value for '--price': '12.90' is not an amount in minor units: 1250 means 12.50",
        ),
        (("7", "--discount", "-1"), 2, "Invalid value for '--discount': '-1' is not an amount in minor units"),
        (
            ("7", "--stock", "many"),
            2,
            "Invalid value for '--stock': 'many' is not a number of pieces: write 12, or",
        ),
        (("7", "--price", "249"), 2, "Product 7 was not changed: discount must be an integer from 0 to the price (the"),
        (("7", "--name", ""), 2, "Product 7 was not changed: name must have 1 to 255 characters."),
    ],
)
def test_unsuitable_set_changes_nothing(
    operator: Operator, bundle: Bundle, words: tuple[str, ...], code: int, message: str
) -> None:
    bundle.sell(SOLD_OUT, shop="one")

    failed, line = operator.fails("catalogue", "set", "one", *words)

    assert (failed, line[: len(message)]) == (code, message)
    assert stored(operator) == [SOLD_OUT]


def test_ignored_columns_are_in_the_summary(operator: Operator) -> None:
    rows = "1,A,One,Acme,1250,5,red\n"
    header = "Id,REF, Name ,Brand,Price,Stock,Col\x1b[2Jour"

    shown = type_import(operator, rows, "--ignore-unknown", header=header)
    data = json.loads(type_import(operator, rows, "--ignore-unknown", "--json", header=header).out)

    assert fields(shown.out)["Ignored columns"] == "'Brand', 'Col\\x1b[2Jour'"
    assert data["ignored_columns"] == ["Brand", "Col\x1b[2Jour"]
    assert "Ignored columns" not in fields(type_import(operator, "2,B,Two,1,1\n").out)


@pytest.mark.parametrize(
    ("currency", "price", "minor"), [("EUR", "12,9", 1290), ("JPY", "1290", 1290), ("KWD", "1.234", 1234)]
)
def test_major_prices_need_the_currency(
    operator: Operator, tmp_path: Path, currency: str, price: str, minor: int
) -> None:
    file, rows, header = tmp_path / "out.csv", f"1;A;One;{price};5\n", HEADER.replace(",", ";")
    major = ("--prices", "major")
    for command in (("import", "one", "-"), ("export", "one")):
        code, message = operator.fails("catalogue", *command, *major, stdin=f"{header}\n{rows}")
        assert code == ExitCode.USAGE
        assert "is '' instead of an ISO 4217 code: run cartctl shop set one --currency with the code" in message
    operator.run("shop", "set", "one", "--currency", currency, "--new-engine")

    assert type_import(operator, rows, *major, header=header).code == 0
    assert [it.price for it in stored(operator)] == [minor]
    operator.run("catalogue", "export", "one", *major, "--output", str(file))
    assert import_(operator, str(file), *major) == {"rows": 1, "unchanged": 1}


def test_export_for_spreadsheets_is_imported_again(operator: Operator, save: Save, tmp_path: Path) -> None:
    products = [product(1, name="=HYPERLINK(1)"), product(2, ref="'@x", name="-")]
    import_(operator, save(*products))
    file = tmp_path / "sheet.csv.gz"

    operator.run("catalogue", "export", "one", "--spreadsheet", "--output", str(file))

    text = gzip.decompress(file.read_bytes()).decode("utf-8-sig")
    assert [row["name"] for row in csv.DictReader(text.splitlines())] == ["'=HYPERLINK(1)", "'-"]
    assert import_(operator, str(file), "--spreadsheet") == {"rows": 2, "unchanged": 2}
    for options in (("--format", "jsonl", "--spreadsheet"), ("--output", str(tmp_path / "a.xlsx"))):
        assert operator.fails("catalogue", "export", "one", *options)[0] == ExitCode.USAGE


def test_compressed_file_is_damaged_after_good_rows(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "products.csv.gz"
    file.write_bytes(gzip.compress(content(many(3_000)))[:-20])

    code, message = operator.fails("catalogue", "import", "one", str(file), "--prune", "--yes")

    assert (code, message) == (
        1,
        "The gzip file is damaged (it ends too early): get it again. Rows before the damage may be imported already.",
    )


@pytest.mark.parametrize("option", [("--delimiter", ";;"), ("--encoding", "klingon"), ("--prices", "cents")])
def test_wrong_reading_option_is_refused(operator: Operator, save: Save, option: tuple[str, str]) -> None:
    code, message = operator.fails("catalogue", "import", "one", save(*many(1)), *option)

    assert code == ExitCode.USAGE
    assert f"'{option[1]}'" in message

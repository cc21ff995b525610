"""cartctl catalogue: bringing products in, getting them out, looking at them."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cartctl import catalogue_file, catalogue_import, connection
from cartctl.catalogue_file import Format, written
from cartctl.commands import catalogue as commands
from cartctl.errors import CartctlError, ExitCode
from serverless_cart.clock import clock
from serverless_cart.domain import limits
from serverless_cart.domain.product import Product
from serverless_cart.domain.shop import Shop
from serverless_cart.dynamodb import keys, table
from serverless_cart.dynamodb.attributes import key_attributes
from serverless_cart.dynamodb.catalogue import Catalogue, product_from_item, product_to_item
from serverless_cart.dynamodb.shops import ShopStore
from tests.integration.operator import Operator
from tests.support.builders import product
from tests.support.bundle import TABLE, Bundle

HEADER = "id,ref,name,price,stock"
COUNTS = ("rows", "new", "changed", "unchanged", "bad", "not_in_file", "pruned")


@pytest.fixture
def operator(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    """Put an operator before a shop, with another beside it that sells a product of the same id."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    operator = Operator(monkeypatch, capsys)
    bundle.database.watch(operator.deployment.session.events)
    shops = ShopStore(operator.deployment.table, clock)
    shops.create(Shop("one"))
    shops.create(Shop("two"))
    bundle.sell(product(7, name="Another shop's"), shop="two")
    bundle.database.calls.clear()
    return operator


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., str]:
    """Write products to a file."""

    def save(*products: Product, form: Format = Format.CSV) -> str:
        file = tmp_path / f"products.{form}"
        file.write_bytes(b"".join(written(products, form)))
        return str(file)

    return save


def many(count: int, **changes: Any) -> list[Product]:
    return [product(number, **changes) for number in range(1, count + 1)]


def sold(operator: Operator, shop: str = "one") -> list[Product]:
    """Return what the table has of a shop's products."""
    items: list[Any] = operator.deployment.dynamodb.scan(TableName=TABLE)["Items"]
    theirs = [product_from_item(item) for item in items if item["pk"]["S"].startswith(f"PRODUCT#{shop}#")]
    return sorted(theirs, key=lambda it: it.id)


def counts(result: dict[str, Any]) -> dict[str, int]:
    """Return what an import counted, what there was none of left out."""
    return {name: result[name] for name in COUNTS if result[name]}


def columns(out: str) -> dict[str, str]:
    """Read the lines that a person gets."""
    return {line.split("  ")[0]: line.rpartition("  ")[2].strip() for line in out.splitlines()}


def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody be there to ask."""
    there = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(commands, "sys", SimpleNamespace(stdin=there, stdout=sys.stdout))


# ----------------------------------------------------------------------------------------------------------------------
# Importing
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", Format)
def test_new_products_are_added_and_the_table_has_them_as_the_file(
    operator: Operator, save: Callable[..., str], form: Format
) -> None:
    them = [*many(230), product(231, image=None, stock=None, active=False, discount=0)]

    result = operator.run("catalogue", "import", "one", save(*them, form=form))

    assert counts(result) == {"rows": 231, "new": 231}
    assert (result["shop"], result["bad_rows"], result["dry_run"]) == ("one", [], False)
    assert sold(operator) == them


def test_an_unchanged_catalogue_is_read_by_the_hundred_and_nothing_is_written(
    operator: Operator, bundle: Bundle, save: Callable[..., str]
) -> None:
    file = save(*many(230))
    operator.run("catalogue", "import", "one", file)
    assert Counter(bundle.database.calls) == {"GetItem": 1, "BatchGetItem": 3, "BatchWriteItem": 10}
    bundle.database.calls.clear()

    assert counts(operator.run("catalogue", "import", "one", file)) == {"rows": 230, "unchanged": 230}
    assert Counter(bundle.database.calls) == {"GetItem": 1, "BatchGetItem": 3}


def test_only_what_differs_is_written(operator: Operator, bundle: Bundle, save: Callable[..., str]) -> None:
    operator.run("catalogue", "import", "one", save(*many(40)))
    bundle.database.calls.clear()
    them = [*many(30), *(product(number, price=9_999) for number in range(31, 41)), product(41), product(42)]

    result = operator.run("catalogue", "import", "one", save(*them))

    assert counts(result) == {"rows": 42, "new": 2, "changed": 10, "unchanged": 30}
    assert Counter(bundle.database.calls) == {"GetItem": 1, "BatchGetItem": 1, "BatchWriteItem": 1}
    assert sold(operator) == them
    assert [it.name for it in sold(operator, "two")] == ["Another shop's"]


def test_a_change_of_any_one_field_is_written(operator: Operator, save: Callable[..., str]) -> None:
    changes: list[dict[str, Any]] = [
        {"ref": "x"}, {"name": "x"}, {"image": None}, {"price": 1}, {"discount": 1}, {"stock": None}, {"stock": 0},
        {"active": False},
    ]  # fmt: skip
    before = [product(number, discount=0) for number in range(len(changes))]
    changed = [product(number, **{"discount": 0, **change}) for number, change in enumerate(changes)]
    operator.run("catalogue", "import", "one", save(*before))

    assert counts(operator.run("catalogue", "import", "one", save(*changed))) == {"rows": 8, "changed": 8}
    assert sold(operator) == changed


def test_one_product_is_set_from_standard_input(operator: Operator) -> None:
    row = '{"id": 7, "ref": "CUP", "name": "Cup", "price": 990, "stock": 12}'

    ended = operator.type("catalogue", "import", "one", "-", stdin=row)

    assert (ended.code, ended.err) == (0, "")
    assert columns(ended.out)["New"] == "1"
    assert sold(operator) == [Product(7, "CUP", "Cup", None, 990, 0, 12, active=True)]


def test_a_named_format_counts_for_more_than_the_name(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    file.write_bytes(b"".join(written(many(2), Format.JSONL)))

    operator.run("catalogue", "import", "one", str(file), "--format", "jsonl")

    assert sold(operator) == many(2)


def test_a_dry_run_tells_the_same_and_writes_nothing(
    operator: Operator, bundle: Bundle, save: Callable[..., str]
) -> None:
    operator.run("catalogue", "import", "one", save(*many(5)))
    file = save(product(1), product(2, price=9_999), product(6))
    bundle.database.calls.clear()

    result = operator.run("catalogue", "import", "one", file, "--dry-run", "--prune")

    assert counts(result) == {"rows": 3, "new": 1, "changed": 1, "unchanged": 1, "not_in_file": 3}
    assert result["dry_run"]
    assert not {"BatchWriteItem", "PutItem", "UpdateItem", "DeleteItem"} & set(bundle.database.calls)
    assert sold(operator) == many(5)
    assert "nothing was written" in operator.type("catalogue", "import", "one", file, "--dry-run").err


# ----------------------------------------------------------------------------------------------------------------------
# Bad rows
# ----------------------------------------------------------------------------------------------------------------------

BAD = f"{HEADER}\n1,A,One,12.50,5\n2,B,Two,1250,5\n2,C,Again,1250,5\n3,D,Three,1250\n\n2,B,Two,1250,5\n4,E,Four,1250,\n"


def test_bad_rows_are_told_by_line_and_the_rest_is_imported(operator: Operator) -> None:
    ended = operator.type("catalogue", "import", "one", "-", stdin=BAD)

    assert ended.code == 4
    assert ended.err.splitlines() == [
        "line 2: price must be an integer: money is in minor units, 1250 being 12.50",
        "line 4: id 2 is that of line 3 too, which stands",
        "line 5: the row has 4 fields and the header 5",
        "line 7: id 2 is that of line 3 too, which stands",
    ]
    told = columns(ended.out)
    assert (told["Rows"], told["New"], told["Bad"]) == ("6", "2", "4")
    assert [(it.id, it.name, it.stock) for it in sold(operator)] == [(2, "Two", 5), (4, "Four", None)]


def test_a_program_gets_the_bad_rows_in_the_result(operator: Operator) -> None:
    ended = operator.type("catalogue", "import", "one", "-", "--json", stdin=BAD)

    assert (ended.code, ended.err) == (4, "")
    result = json.loads(ended.out)
    assert counts(result) == {"rows": 6, "new": 2, "bad": 4}
    assert result["bad_rows"][1] == {"line": 4, "reasons": ["id 2 is that of line 3 too, which stands"]}
    assert [row["line"] for row in result["bad_rows"]] == [2, 4, 5, 7]


def test_an_id_whose_first_row_was_bad_is_free(operator: Operator) -> None:
    ended = operator.type("catalogue", "import", "one", "-", stdin=f"{HEADER}\n2,B,Two,x,5\n2,B,Two,1250,5\n")

    assert len(ended.err.splitlines()) == 1
    assert [it.price for it in sold(operator)] == [1250]


def test_a_duplicate_is_seen_however_far_apart_the_rows_are(operator: Operator) -> None:
    rows = "".join(f"{number},R,N,1,1\n" for number in [*range(1, 301), 1])

    ended = operator.type("catalogue", "import", "one", "-", stdin=f"{HEADER}\n{rows}")

    assert ended.err == "line 302: id 1 is that of line 2 too, which stands\n"
    assert len(sold(operator)) == 300


def test_after_a_hundred_bad_rows_the_others_are_counted_and_a_file_takes_them_all(
    operator: Operator, tmp_path: Path
) -> None:
    rows = "".join(f"{number},R,N,x,1\n" for number in range(150))
    errors = tmp_path / "errors.jsonl"

    without = operator.type("catalogue", "import", "one", "-", stdin=f"{HEADER}\n{rows}")
    ended = operator.type("catalogue", "import", "one", "-", "--errors", str(errors), stdin=f"{HEADER}\n{rows}")

    assert len(without.err.splitlines()) == 101
    assert without.err.splitlines()[-1] == "and 50 bad rows more: --errors FILE takes them all."
    assert ended.err.splitlines()[-1] == "and 50 bad rows more: they are in the file of errors."
    told = [json.loads(line) for line in errors.read_text().splitlines()]
    assert [row["line"] for row in told] == list(range(2, 152))
    assert told[0]["reasons"] == ["price must be an integer: money is in minor units, 1250 being 12.50"]


def test_the_file_of_errors_is_never_the_catalogue(
    operator: Operator, save: Callable[..., str], tmp_path: Path
) -> None:
    file = save(*many(2))
    link = tmp_path / "link.csv"
    link.symlink_to(file)

    for name in (file, str(link)):
        code, told = operator.fails("catalogue", "import", "one", file, "--errors", name)
        assert (code, told) == (2, "--errors names the catalogue itself: name another file.")
    assert Path(file).read_bytes() == b"".join(written(many(2), Format.CSV))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "The file is empty"),
        (HEADER.encode("utf-16"), "The file is in UTF-16: save it as UTF-8"),
        (b"id,ref,name,price,stok\n1,A,One,1250,5\n", "Unknown in the header: 'stok'."),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_in_one_line(
    operator: Operator, tmp_path: Path, content: bytes, told: str
) -> None:
    file = tmp_path / "products.csv"
    file.write_bytes(content)

    code, line = operator.fails("catalogue", "import", "one", str(file))

    assert (code, line.startswith(told)) == (1, True)
    assert sold(operator) == []


def test_a_file_that_is_not_there_or_no_file_is_refused(operator: Operator, tmp_path: Path) -> None:
    for name, why in ((tmp_path / "none.csv", "No such file or directory"), (tmp_path, "Is a directory")):
        assert operator.fails("catalogue", "import", "one", str(name)) == (2, f"{name} cannot be read: {why}.")


def test_a_file_that_cannot_be_read_to_its_end_ends_in_one_line(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Any:
        yield from ()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(catalogue_file, "read", broken)

    assert operator.fails("catalogue", "import", "one", "-") == (1, "- cannot be read: Input/output error.")


def test_a_shop_that_is_not_there_or_is_being_deleted_takes_no_products(
    operator: Operator, bundle: Bundle, save: Callable[..., str]
) -> None:
    shops = ShopStore(operator.deployment.table, clock)
    two = shops.find("two")
    assert two
    shops.close(two)

    assert operator.fails("catalogue", "import", "three", save(*many(2)))[0] == ExitCode.NOT_FOUND
    code, told = operator.fails("catalogue", "import", "two", save(*many(2)))
    assert (code, told) == (1, "The shop two is being deleted: cartctl shop delete two finishes that.")
    assert len(bundle.rows("PRODUCT#")) == 1


def test_an_import_ends_when_the_shop_is_being_deleted(
    operator: Operator, bundle: Bundle, save: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_import, "LOOKED_AFTER", 0.0)
    shops = ShopStore(operator.deployment.table, clock)
    one = shops.find("one")
    assert one

    def close(operation: str) -> None:
        if operation == "BatchGetItem":
            bundle.database.before = None
            shops.close(one)

    bundle.database.before = close

    code, told = operator.fails("catalogue", "import", "one", save(*many(2_500)))

    assert (code, told) == (1, "The shop one is being deleted: cartctl shop delete one finishes that.")
    assert len(bundle.rows("PRODUCT#one#")) < 2_500


# ----------------------------------------------------------------------------------------------------------------------
# Interrupted
# ----------------------------------------------------------------------------------------------------------------------


class Interrupted:
    """Standard input in the middle of which somebody presses Ctrl-C."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = iter(lines)
        self.buffer = self

    def readline(self, _size: int) -> bytes:
        for line in self.lines:
            return line
        raise KeyboardInterrupt

    def seekable(self) -> bool:
        return False


def test_an_interrupted_import_finishes_what_is_under_way_and_the_same_command_goes_on(
    operator: Operator, bundle: Bundle, save: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = list(written(many(400), Format.CSV))
    monkeypatch.setattr(sys, "stdin", Interrupted(pieces[:251]))  # a header, two chunks and a half

    with pytest.raises(CartctlError) as interrupted:
        operator.run("catalogue", "import", "one", "-")

    assert interrupted.value.exit_code == 130
    assert str(interrupted.value) == "Interrupted: 200 rows are done, and the same command again goes on."
    assert sold(operator) == many(200)
    bundle.database.calls.clear()

    result = operator.run("catalogue", "import", "one", save(*many(400)))

    assert counts(result) == {"rows": 400, "new": 200, "unchanged": 200}
    assert Counter(bundle.database.calls)["BatchWriteItem"] == 8
    assert sold(operator) == many(400)


def test_what_the_table_leaves_unprocessed_is_sent_again(
    operator: Operator, bundle: Bundle, save: Callable[..., str]
) -> None:
    def leave(operation: str, answer: dict[str, Any]) -> None:
        if operation == "BatchWriteItem":
            bundle.database.alter = None
            bundle.client.delete_item(TableName=TABLE, Key=key_attributes(keys.product("one", 3)))
            answer["UnprocessedItems"] = {TABLE: [{"PutRequest": {"Item": product_to_item("one", product(3))}}]}

    bundle.database.alter = leave

    assert counts(operator.run("catalogue", "import", "one", save(*many(5)))) == {"rows": 5, "new": 5}
    assert sold(operator) == many(5)
    assert bundle.database.calls.count("BatchWriteItem") == 2


def test_a_table_that_stays_throttled_ends_it_in_one_line_and_the_same_command_goes_on(
    operator: Operator, bundle: Bundle, save: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ATTEMPTS", 2)
    file = save(*many(500))

    def throttle(operation: str, answer: dict[str, Any]) -> None:
        if operation == "BatchWriteItem" and bundle.database.calls.count("BatchWriteItem") > 8:
            answer["UnprocessedItems"] = {TABLE: [{"PutRequest": {"Item": product_to_item("one", product(1))}}]}

    bundle.database.alter = throttle

    code, told = operator.fails("catalogue", "import", "one", file)

    assert code == 1
    assert told.startswith("DynamoDB throttles or does not answer: ")
    assert told.endswith(" rows are done, and the same command again goes on.")
    assert 0 < len(sold(operator)) < 500
    bundle.database.alter = None
    assert operator.type("catalogue", "import", "one", file).code == 0
    assert sold(operator) == many(500)


def test_no_more_is_under_way_at_once_than_there_are_threads(
    operator: Operator, save: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    under_way = 0

    class Counted(Catalogue):
        def find(self, ids: Any) -> dict[int, Product]:
            nonlocal under_way
            under_way += 1
            held.append(under_way)
            found = super().find(ids)
            under_way -= 1
            return found

    monkeypatch.setattr(commands, "Catalogue", Counted)
    monkeypatch.setattr(catalogue_import, "THREADS", 2)

    operator.run("catalogue", "import", "one", save(*many(2_000)))

    assert len(held) == 20
    assert max(held) <= 2


# ----------------------------------------------------------------------------------------------------------------------
# Pruning
# ----------------------------------------------------------------------------------------------------------------------


def test_pruning_removes_the_products_that_are_not_in_the_file_and_no_other(
    operator: Operator, save: Callable[..., str]
) -> None:
    operator.run("catalogue", "import", "one", save(*many(120)))
    kept = [it for it in many(120) if it.id % 3]

    result = operator.run("catalogue", "import", "one", save(*kept, product(121)), "--prune", "--yes")

    assert counts(result) == {"rows": 81, "new": 1, "unchanged": 80, "not_in_file": 40, "pruned": 40}
    assert sold(operator) == [*kept, product(121)]
    assert len(sold(operator, "two")) == 1


def test_without_prune_what_is_not_in_the_file_stays(operator: Operator, save: Callable[..., str]) -> None:
    operator.run("catalogue", "import", "one", save(*many(3)))

    result = operator.run("catalogue", "import", "one", save(product(9)))

    assert result["not_in_file"] is None
    assert sold(operator) == [*many(3), product(9)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (f"{HEADER}\n1,A,One,1250,5\n2,B,Two,12.50,5\n", "Nothing was pruned, because rows were bad."),
        (f"{HEADER}\n1,A,One,12.50,5\n", "Nothing was pruned, because rows were bad."),
        (f"{HEADER}\n", "Nothing was pruned, because the file has no products."),
    ],
)
def test_nothing_is_pruned_where_the_file_may_not_be_what_is_meant(
    operator: Operator, save: Callable[..., str], content: str, why: str
) -> None:
    operator.run("catalogue", "import", "one", save(*many(3)))

    ended = operator.type("catalogue", "import", "one", "-", "--prune", "--yes", stdin=content)

    assert ended.code == ExitCode.INCOMPLETE
    assert ended.err.splitlines()[-1] == why
    assert "Pruned" not in columns(ended.out)
    assert [it.id for it in sold(operator)] == [1, 2, 3]


@pytest.mark.parametrize(("answer", "left"), [("y", 1), ("n", 3), ("", 3)], ids=["yes", "no", "gone"])
def test_a_person_is_told_how_many_would_go_and_asked(
    operator: Operator, save: Callable[..., str], monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    operator.run("catalogue", "import", "one", save(*many(3)))
    at_a_terminal(monkeypatch)

    ended = operator.type("catalogue", "import", "one", save(product(1)), "--prune", stdin=answer and f"{answer}\n")

    assert "Remove 2 products that are not in the file?" in ended.err
    told = columns(ended.out)
    assert (ended.code, told["Not in the file"], told["Pruned"]) == (0 if left == 1 else 4, "2", str(3 - left))
    assert len(sold(operator)) == left


def test_where_nobody_can_be_asked_nothing_is_imported_either(
    operator: Operator, save: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = (2, "Nobody is there to ask whether to prune: confirm with --yes.")
    assert operator.fails("catalogue", "import", "one", save(*many(2)), "--prune") == told
    at_a_terminal(monkeypatch)
    assert operator.fails("catalogue", "import", "one", "-", "--prune", stdin=f"{HEADER}\n") == told
    assert sold(operator) == []


# ----------------------------------------------------------------------------------------------------------------------
# Exporting
# ----------------------------------------------------------------------------------------------------------------------


def test_an_export_lists_all_products_by_ascending_id(
    operator: Operator, bundle: Bundle, save: Callable[..., str], tmp_path: Path
) -> None:
    them = [product(0), *many(230), product(10**9), product(2**53 - 1)]
    operator.run("catalogue", "import", "one", save(*reversed(them)))
    file = tmp_path / "out.jsonl"
    bundle.database.calls.clear()

    result = operator.run("catalogue", "export", "one", "--output", str(file))

    assert result == {"shop": "one", "products": 233, "output": str(file), "format": "jsonl"}
    assert file.read_bytes() == b"".join(written(them, Format.JSONL))
    assert Counter(bundle.database.calls) == {"GetItem": 1, "Query": keys.CATALOGUE_PARTITIONS}


def test_an_export_of_many_pages_is_in_order_too(
    operator: Operator, save: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "PAGE", 3)
    operator.run("catalogue", "import", "one", save(*many(230)))

    operator.run("catalogue", "export", "one", "--output", str(tmp_path / "out.csv"))

    assert (tmp_path / "out.csv").read_bytes() == b"".join(written(many(230), Format.CSV))


def test_an_export_goes_to_standard_output_as_csv_unless_told(operator: Operator, save: Callable[..., str]) -> None:
    operator.run("catalogue", "import", "one", save(*many(2)))

    csv = operator.type("catalogue", "export", "one")
    jsonl = operator.type("catalogue", "export", "one", "--format", "jsonl")

    assert (csv.code, csv.err, csv.out.encode()) == (0, "", b"".join(written(many(2), Format.CSV)))
    assert (jsonl.code, jsonl.err, jsonl.out.encode()) == (0, "", b"".join(written(many(2), Format.JSONL)))


characters = st.characters(exclude_categories=["Cs"], exclude_characters=[chr(code) for code in [*range(32), 127]])
texts = st.text(characters | st.sampled_from('",;\\ ='), min_size=1, max_size=16)
numbers = st.integers(0, limits.MAX_SAFE_INTEGER)
catalogues = st.dictionaries(
    numbers,
    st.builds(
        Product, id=st.just(0), ref=texts, name=texts,
        image=st.none() | st.text(st.sampled_from("a:/?,;'ä"), min_size=1, max_size=16),
        price=st.integers(1_000, limits.PRODUCT_PRICE), discount=st.integers(0, 1_000), stock=st.none() | numbers,
        active=st.booleans(),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(them=catalogues, form=st.sampled_from(Format))
def test_an_export_feeds_an_import_without_loss(
    operator: Operator, bundle: Bundle, tmp_path: Path, them: dict[int, Product], form: Format
) -> None:
    file = str(tmp_path / f"products.{form}")
    for shop in ("one", "two"):
        for it in sold(operator, shop):
            bundle.client.delete_item(TableName=TABLE, Key=key_attributes(keys.product(shop, it.id)))
    products = [
        Product(id_, it.ref, it.name, it.image, it.price, it.discount, it.stock, it.active)
        for id_, it in sorted(them.items())
    ]
    bundle.sell(*products, shop="one")

    operator.run("catalogue", "export", "one", "--output", file)
    assert counts(operator.run("catalogue", "import", "two", file)) == {"rows": len(them), "new": len(them)}

    assert sold(operator, "two") == products
    assert counts(operator.run("catalogue", "import", "one", file)) == {"rows": len(them), "unchanged": len(them)}


def test_an_export_that_fails_leaves_the_file_as_it_was(
    operator: Operator, bundle: Bundle, save: Callable[..., str], tmp_path: Path
) -> None:
    operator.run("catalogue", "import", "one", save(*many(50)))
    file = tmp_path / "out.csv"
    file.write_text("before")

    def deny(operation: str) -> None:
        if operation == "Query" and bundle.database.calls.count("Query") > 8:
            raise KeyboardInterrupt

    bundle.database.before = deny

    assert operator.fails("catalogue", "export", "one", "--output", str(file))[0] == ExitCode.INTERRUPTED
    assert file.read_text() == "before"
    assert sorted(it.name for it in tmp_path.iterdir()) == ["out.csv", "products.csv"]


def test_an_export_goes_to_ordinary_files_alone(operator: Operator, tmp_path: Path) -> None:
    for name in (tmp_path, Path("/dev/null")):
        told = (2, f"{name} is no ordinary file: name another.")
        assert operator.fails("catalogue", "export", "one", "--output", str(name)) == told
    code, line = operator.fails("catalogue", "export", "one", "--output", str(tmp_path / "none" / "out.csv"))
    assert (code, line) == (1, f"{tmp_path}/none/out.csv cannot be written: No such file or directory.")


def test_an_export_whose_result_is_json_needs_a_file(operator: Operator) -> None:
    told = (2, "With --json, name the file with --output.")
    assert operator.fails("catalogue", "export", "one", "--json") == told


@pytest.mark.parametrize("command", ["export", "show"])
def test_a_shop_that_is_not_there_has_no_catalogue(operator: Operator, command: str) -> None:
    arguments = ("catalogue", command, "three", *(["7"] if command == "show" else []))
    assert operator.fails(*arguments) == (3, "There is no shop three: cartctl shop list names them.")


# ----------------------------------------------------------------------------------------------------------------------
# Showing
# ----------------------------------------------------------------------------------------------------------------------


def test_products_are_shown_as_the_table_has_them_in_the_order_asked_for(operator: Operator, bundle: Bundle) -> None:
    bundle.sell(product(8), product(7, image=None, stock=None, active=False), shop="one")

    assert operator.run("catalogue", "show", "one", "8", "7", "8") == [
        {
            "id": 8, "ref": "REF-8", "name": "Product 8", "image": "https://img.example/8.jpg", "price": 1250,
            "discount": 250, "stock": 50, "active": True,
        },
        {
            "id": 7, "ref": "REF-7", "name": "Product 7", "image": None, "price": 1250,
            "discount": 250, "stock": None, "active": False,
        },
    ]  # fmt: skip
    assert "no limit" in operator.type("catalogue", "show", "one", "7").out


def test_a_name_is_shown_as_it_is_whatever_a_terminal_makes_of_it(operator: Operator, bundle: Bundle) -> None:
    bundle.sell(product(7, name="[red]:cat:[/] [bold"), shop="one")

    assert "[red]:cat:[/] [bold" in operator.type("catalogue", "show", "one", "7").out


def test_a_product_that_is_not_there_is_told_beside_those_that_are(operator: Operator, bundle: Bundle) -> None:
    bundle.sell(product(7), shop="one")

    ended = operator.type("catalogue", "show", "one", "6", "7", "8")

    assert (ended.code, ended.err) == (3, "Error: The shop one has no product 6, 8.\n")
    assert "REF-7" in ended.out


def test_an_id_that_no_product_can_have_is_refused(operator: Operator) -> None:
    for id_ in ("-1", "x", "1.5", str(2**53)):
        assert operator.fails("catalogue", "show", "one", "--", id_)[0] == ExitCode.USAGE

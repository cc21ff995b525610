"""docs/operate.md: its commands are cartctl's, its policies allow no more than they say, its links lead somewhere."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cartctl.app import app
from cartctl.errors import ExitCode
from serverless_cart.domain.cart import Owner
from serverless_cart.domain.session import ItemKey, Session
from serverless_cart.dynamodb import keys
from tests import guide
from tests.policies import Asked, judge, listed, permits
from tools.support.events import HASHID
from tools.support.paths import ROOT

CARTCTL = typer.main.get_command(app)
WHERE = {"REGION": "eu-west-1", "ACCOUNT": "123456789012", "STACK": "serverless-cart", "TABLE": "the-table"}
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def statements(policy: str) -> list[dict[str, Any]]:
    return guide.policy(policy, **WHERE)


# ----------------------------------------------------------------------------------------------------------------------
# Commands
# ----------------------------------------------------------------------------------------------------------------------


def written_commands(document: Path) -> Iterator[tuple[str, bool]]:
    """Find the commands in a document's blocks, and those between backticks, which may be no more than a name."""
    text = document.read_text().replace("\\\n", " ")
    fenced = re.findall(r"^```.*?\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}(.*)$", prose, flags=re.MULTILINE)
    for block in [*fenced, "\n".join(indented)]:
        for command in re.findall(r"(?:^|\$\(|\|\s+)(?:\.venv/bin/)?(cartctl [^|<>)\n]*)", block, flags=re.MULTILINE):
            yield command.strip(), False
    for span in re.findall(r"`(cartctl [^`]+)`", prose):
        yield re.sub(r"\s+", " ", span).partition(" <")[0], True


COMMANDS = sorted({command for file in DOCUMENTS for command in written_commands(file)})


def parse(words: list[str]) -> None:
    """Read a command line as cartctl does, without carrying it out. Raises a `TyperException`."""
    command, context = CARTCTL, CARTCTL.make_context("cartctl", list(words), resilient_parsing=True)
    rest = [*context._protected_args, *context.args]
    while rest and isinstance(command, TyperGroup):
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        if rest[:1] == ["--help"]:
            return
        command, context = found, found.make_context(found.name, list(rest), parent=context)


def test_there_are_commands_to_look_at() -> None:
    assert len(set(written_commands(guide.GUIDE))) > 20


@pytest.mark.parametrize(("written", "may_be_a_name"), COMMANDS)
def test_a_documented_command_is_one(written: str, *, may_be_a_name: bool) -> None:
    words = shlex.split(re.sub(r"\$\w+", "1", written))[1:]

    try:
        parse(words)
    except TyperException as wrong:
        if not (may_be_a_name and wrong.format_message().startswith("Missing")):
            raise


@pytest.mark.parametrize("wrong", ["shop crate my-shop", "shop create", "shop create my-shop --money EUR", "doctor x"])
def test_this_test_tells_a_command_that_is_none(wrong: str) -> None:
    with pytest.raises(TyperException):
        parse(wrong.split())


def tree() -> set[str]:
    """Return all commands by their names."""
    assert isinstance(CARTCTL, TyperGroup)
    return {
        f"{name} {inner}" if inner else name
        for name, command in CARTCTL.commands.items()
        for inner in (command.commands if isinstance(command, TyperGroup) else [""])
    }


def test_the_guide_says_of_every_command_which_policies_serve_it() -> None:
    assert set(guide.SERVED) == tree()
    assert all(guide.SERVED.values()), "each command is served"


def test_the_guide_has_the_exit_codes() -> None:
    assert list(guide.EXIT_CODES) == [int(code) for code in ExitCode]


# ----------------------------------------------------------------------------------------------------------------------
# Policies
# ----------------------------------------------------------------------------------------------------------------------

PARTITIONS = {
    "SHOPS": keys.SHOPS,
    "SHOP": keys.shop("demo").pk,
    "ENGINE": keys.search_engine(HASHID).pk,
    "TOKENS": keys.tokens("demo"),
    "TOKEN": keys.token("0" * 64).pk,
    "PRODUCT": keys.product("demo", 7).pk,
    "CART": keys.cart(Owner("demo", "SHOP#customer")).pk,
    "SESSION": keys.session_item(Session(HASHID, "CART#s"), ItemKey("i", "x")).pk,
}
KEYED = ("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem",
         "ConditionCheckItem", "PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete")  # fmt: skip
UNKEYED = ("DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups", "UpdateTable", "DeleteTable",
           "UpdateTimeToLive", "UpdateContinuousBackups", "ExportTableToPointInTime", "RestoreTableToPointInTime",
           "DescribeStream", "GetRecords")  # fmt: skip
MAY: dict[str, dict[str, str]] = {
    "reading": {
        "GetItem": "SHOP CART",
        "BatchGetItem": "PRODUCT",
        "Query": "SHOPS TOKENS PRODUCT SESSION",
    },
    "support": {"GetItem": "SHOP CART", "BatchGetItem": "PRODUCT", "UpdateItem": "CART", "Query": "SESSION"},
    "catalogue": {"GetItem": "SHOP", "BatchGetItem": "PRODUCT", "Query": "PRODUCT", "BatchWriteItem": "PRODUCT"},
    "keys": {
        "GetItem": "SHOP TOKEN TOKENS",
        "ConditionCheckItem": "SHOP",
        "PutItem": "TOKEN TOKENS",
        "UpdateItem": "TOKEN TOKENS",
        "Query": "TOKENS",
    },
    "shops": {
        "GetItem": "SHOP",
        "Query": "SHOPS TOKENS PRODUCT",
        "PutItem": "SHOPS SHOP ENGINE",
        "DeleteItem": "SHOPS SHOP",
        "BatchWriteItem": "TOKEN TOKENS PRODUCT CART SESSION ENGINE",
    },
}
MAY_EXAMINE = {
    "reading": {"DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups"},
    "shops": {"DescribeTable"},
}


def test_every_policy_is_looked_at() -> None:
    assert list(MAY) == list(guide.POLICIES)
    assert len(guide.blocks("json")) == len(guide.POLICIES)


@pytest.mark.parametrize("policy", MAY)
def test_a_policy_reaches_exactly_what_its_commands_need(policy: str) -> None:
    reached = {
        (action, name)
        for action in KEYED
        for name, partition in PARTITIONS.items()
        if permits(statements(policy), action, partition)
    }
    examined = {action for action in UNKEYED if permits(statements(policy), action)}

    assert reached == {(action, name) for action, names in MAY[policy].items() for name in names.split()}
    assert examined == MAY_EXAMINE.get(policy, set())


@pytest.mark.parametrize("policy", MAY)
def test_a_policy_names_actions_that_there_are_and_nothing_wider_than_the_one_table_and_stack(policy: str) -> None:
    services = botocore.session.get_session()
    real = {"dynamodb:ConditionCheckItem"} | {  # which is an action without an operation of its own
        f"{service}:{operation}"
        for service in ("dynamodb", "cloudformation")
        for operation in services.get_service_model(service).operation_names
    }
    resources = {
        "dynamodb": "arn:aws:dynamodb:eu-west-1:123456789012:table/the-table",
        "cloudformation": "arn:aws:cloudformation:eu-west-1:123456789012:stack/serverless-cart/*",
    }

    for statement in statements(policy):
        assert statement["Effect"] == "Allow"
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert set(listed(statement["Action"])) <= real
        (service,) = {action.partition(":")[0] for action in listed(statement["Action"])}
        assert statement["Resource"] == resources[service]
    sids = [statement["Sid"] for statement in statements(policy)]
    assert len(sids) == len(set(sids))


@pytest.mark.parametrize("policy", MAY)
def test_no_placeholder_is_left_and_the_whole_is_within_iam_s_size(policy: str) -> None:
    filled = json.dumps(statements(policy), separators=(",", ":"))

    assert not re.search("|".join(rf"\b{name}\b" for name in WHERE), filled)
    assert len(filled) < 6_000


@pytest.mark.parametrize("policy", MAY)
def test_what_is_bounded_by_keys_cannot_be_asked_without_a_key(policy: str) -> None:
    """``ForAllValues`` is true of a request that has none."""
    for statement in statements(policy):
        bounded = "dynamodb:LeadingKeys" in json.dumps(statement.get("Condition", {}))
        actions = {action.partition(":")[2] for action in listed(statement["Action"])}
        assert bounded is bool(actions & set(KEYED))
        assert not bounded or actions <= set(KEYED)
        patterns = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
        assert all(re.fullmatch(r"[A-Z]+#\*|SHOPS", pattern) for pattern in patterns)


KEYS_ALONE = Asked("Scan", attributes=("pk", "sk"), select="SPECIFIC_ATTRIBUTES")


@pytest.mark.parametrize(
    ("asked", "permitted"),
    [
        (KEYS_ALONE, True),
        (KEYS_ALONE._replace(attributes=("pk", "sk", "notes#7")), False),
        (KEYS_ALONE._replace(attributes=("price",)), False),
        (KEYS_ALONE._replace(select="ALL_ATTRIBUTES", attributes=()), False),
        (KEYS_ALONE._replace(select="COUNT", attributes=()), False),
    ],
)
def test_whoever_closes_shops_sees_keys_alone_of_the_whole_table(asked: Asked, *, permitted: bool) -> None:
    assert judge(statements("shops"), asked) is permitted
    assert not any(judge(statements(policy), asked) for policy in MAY if policy != "shops")


def test_catalogue_work_can_be_bounded_to_one_shop() -> None:
    text = json.dumps(statements("catalogue"))
    of_one = json.loads(text.replace("SHOP#*", "SHOP#my-shop").replace("PRODUCT#*", "PRODUCT#my-shop#*"))

    assert "SHOP#*" in text
    for shop, permitted in (("my-shop", True), ("my-shop-2", False), ("demo", False)):
        assert permits(of_one, "GetItem", keys.shop(shop).pk) is permitted
        assert permits(of_one, "BatchWriteItem", keys.product(shop, 7).pk) is permitted


# ----------------------------------------------------------------------------------------------------------------------
# Links
# ----------------------------------------------------------------------------------------------------------------------

LINKS = sorted(
    (str(file.relative_to(ROOT)), link)
    for file in DOCUMENTS
    for link in set(re.findall(r"\]\(([^)]+)\)", file.read_text()))
    if not link.startswith("https://")
)


def anchors(file: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("document", "link"), LINKS)
def test_a_link_leads_somewhere(document: str, link: str) -> None:
    file = ROOT / document
    path, _, anchor = link.partition("#")
    target = file.parent / path if path else file

    assert target.exists()
    assert not anchor or anchor in anchors(target)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"docs/[\w.]+", guide.TEXT))))
def test_a_document_that_the_guide_names_is_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_the_headings_that_cartctl_names_are_in_the_guide() -> None:
    named = {
        heading
        for file in (ROOT / "cartctl").rglob("*.py")
        for heading in re.findall(r'docs/operate\.md, "([^"]+)"', file.read_text())
    }

    assert named
    assert {re.sub(r" ", "-", heading).lower() for heading in named} <= anchors(guide.GUIDE)

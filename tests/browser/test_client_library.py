"""The client library in Node and in Chromium, on the local cloud, behind a network that loses requests and answers."""

import gzip
import hashlib
import json
import random
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from local.stack import Stack
from tests.browser import faulty_network
from tests.browser.faulty_network import FAULTS, LATE_SECONDS, FaultyNetwork
from tests.support import guide
from tools.client_packages import CLIENT
from tools.support.database import Database

BUILT = CLIENT / "dist" / "serverless-cart.js"
SCENARIOS = Path(__file__).with_name("scenarios.mjs")
SCRIPT = """
const [scenarios, library, name, given] = process.argv.slice(1);
console.log(JSON.stringify(await (await import(scenarios))[name](await import(library), JSON.parse(given))));
"""
IN_PAGE = "([name, given]) => scenarios[name](library, given)"
NAMES_OF_EXAMPLES = """
import type { Cart } from "serverless-cart";
declare const SHOP_URL: string, SEARCH_URL: string, API_KEY: string, HASHID: string, dfid: string;
declare function showCart(cart: Cart): void;
declare function showMessage(message: unknown): void;
declare function tokenFromYourServer(): Promise<string>;
"""
"""What a page has around the examples of clients/js/README.md."""
MAX_GZIPPED = 5_000
WAIT_SECONDS = 30
POLL_SECONDS = 0.05
LAMP = ("product", "42")
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def network(stack: Stack) -> Iterator[FaultyNetwork]:
    with faulty_network.before(stack) as network:
        yield network


@pytest.fixture
def given(stack: Stack, network: FaultyNetwork, database: Database, token: str) -> dict[str, Any]:
    """Return what a page knows: addresses, keys, products and a customer's token."""
    network.faults.clear()
    network.sent.clear()
    network.late_preflights = False
    shop = database.token(stack.api_key).shop
    return {
        "shopUrl": network.shop_url,
        "searchUrl": network.search_url,
        "network": network.url,
        "apiKey": stack.api_key,
        "hashid": stack.hashid,
        "dfid": f"{stack.hashid}@product@{hashlib.md5(b'42', usedforsecurity=False).hexdigest()}",
        "token": token,
        "expired": stack.expired_token,
        "product": database.sell(shop).id,
        "scarce": database.sell(shop, stock=3).id,
        "stock": 3,
    }


@pytest.fixture(params=["Node", "Chromium"])
def run(request: pytest.FixtureRequest, given: dict[str, Any]) -> Run:
    """Return a function that runs a scenario and returns what the page saw."""
    if request.param == "Node":
        return lambda name, **more: in_node(name, {**given, **more})
    tab: Page = request.getfixturevalue("tab")
    return lambda name, **more: tab.evaluate(IN_PAGE, [name, {**given, **more}])


def in_node(name: str, given: dict[str, Any]) -> Any:
    command = ["node", "--input-type=module", "--eval", SCRIPT, SCENARIOS.as_uri(), BUILT.as_uri(), name]
    done = subprocess.run([*command, json.dumps(given)], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def amounts_of(database: Database, stack: Stack, session: str) -> list[int]:
    return [item.amount for item in database.session(stack.hashid, session).values()]


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)


def test_guest_s_items_move_at_sign_in(run: Run) -> None:
    assert run("guestSignsIn") == [None, 2, 2, "gift", 3, 3, False, None]


@pytest.mark.parametrize("fault", FAULTS)
def test_each_change_is_applied_once(run: Run, network: FaultyNetwork, fault: str) -> None:
    replayed = fault in ("lost", "half")

    seen = run("everyChangeWithFault", fault=fault)

    carts = [[[2, ""]], [[5, "gift"]], [[5, "gift"]], [], [[1, ""]], []]
    assert seen == [[cart, True, replayed] for cart in carts]
    keys = [sent.key for sent in network.changes()]
    assert keys[::2] == keys[1::2]
    assert len(set(keys)) == len(carts)


@pytest.mark.parametrize("fault", FAULTS)
def test_merge_and_checkout_happen_once(run: Run, fault: str) -> None:
    assert run("signInWithFault", fault=fault) == [2, 2]
    assert run("orderWithFault", fault=fault) == [
        1, 4, "hold", "cancelled", ["ShopError", 409, "order cannot be cancelled", []], 0, 0
    ]  # fmt: skip


def test_cancel_before_a_sign_out_is_the_customer_s(run: Run) -> None:
    assert run("cancelBeforeSignOut") == ["cancelled", False, None]


def test_sign_out_during_a_sign_in_holds(run: Run) -> None:
    assert run("signOutDuringSignIn") == [2, False, None, 2, True]


def test_refused_change_waits_as_asked(run: Run, network: FaultyNetwork) -> None:
    assert run("changeAfterRefusals", faults=["429", "503"]) == [1, True, [[429, True], [503, True]]]
    assert [sent.status for sent in network.changes()] == [429, 503, 200]


def test_unchanged_cart_is_not_sent_again(run: Run, network: FaultyNetwork) -> None:
    assert run("unchangedCart") == [2, True, [0, 2]]
    assert [sent.status for sent in network.sent if sent.method == "GET"] == [200, 304, 304]


def test_change_of_another_tab_is_returned(run: Run, network: FaultyNetwork) -> None:
    assert run("changedByAnotherTab") == [[False, "of the other tab"], [True, "of this tab"], "of this tab"]
    assert [bool(sent.if_match) for sent in network.changes()] == [False, False, True, True]


@pytest.mark.parametrize(("changed", "quantity"), [(True, 3), (False, 2)], ids=["changed cart", "unchanged cart"])
def test_late_answer_replaces_no_newer_cart(run: Run, *, changed: bool, quantity: int) -> None:
    assert run("lateAnswer", changed=changed) == [quantity, quantity, [0, 1, quantity]]


def test_late_answer_shows_no_foreign_cart(run: Run) -> None:
    assert run("lateAnswerAfterSignOut") == [None, 2, None, [0]]


def test_sign_in_elsewhere_is_followed(run: Run) -> None:
    assert run("signInElsewhere") == [False, 7, 7, True]


def test_changes_keep_their_order(run: Run) -> None:
    invalid = ["ShopError", 400, "validation error", ["quantity"]]
    assert run("changesAtOnce") == [[2, 3, 4, 5, 6, 7, 8, 9], invalid, "last"]


def test_changes_at_once_make_one_guest(run: Run, network: FaultyNetwork) -> None:
    assert run("guestsAtOnce") == 2
    assert [sent.path for sent in network.sent].count("/api/shop/guests") == 1


def test_warnings_are_reported(run: Run, given: dict[str, Any]) -> None:
    assert run("warnings") == [given["stock"], [["not_merged"]], 1]


def test_refusals_have_the_contract_s_texts(run: Run) -> None:
    assert run("refusals") == [
        ["ShopError", 400, "insufficient stock", ["quantity"]],
        ["ShopError", 400, "invalid product", ["product"]],
        *[["ShopError", 404, "item not found", []]] * 2,
        ["ShopError", 400, "invalid discount code", ["code"]],
        ["ShopError", 409, "cart needs review", ["warnings", "total"]],
        ["ShopError", 404, "order not found", []],
        3,
        3,
        [],
        [],
    ]


def test_ended_sign_in_keeps_the_guest(run: Run) -> None:
    unauthenticated = ["ShopError", 401, "authentication required", []]
    assert run("endedSignIn") == [unauthenticated, [False, 1], [True, unauthenticated, False], 1]


def test_ended_sign_in_makes_no_guest(run: Run, network: FaultyNetwork) -> None:
    assert run("endedSignInAtOnce") == [["ShopError", 401, "authentication required", []]] * 4
    assert "/api/shop/guests" not in [sent.path for sent in network.sent]


def test_ended_guest_becomes_a_new_one(run: Run) -> None:
    assert run("endedGuest") == [None, 1, 0, None]


def test_readme_s_example_places_an_order(run: Run, given: dict[str, Any]) -> None:
    code = guide.blocks("js", (CLIENT / "README.md").read_text())[0]
    code = code.replace('import { Shop, ShopError } from "./serverless-cart.js"', "const { Shop } = library")
    code = code.replace("product: 123", f"product: {given['product']}")
    assert run("example", code=code) == [[[2, 2000], [3, 3000], [3, 3000], [3, 3000]], 3, 1]


def test_request_without_answer_is_an_error(run: Run) -> None:
    assert run("noAnswer") == [["ShopError", 0, "no answer", []], True, [0, True], 503]


def test_random_faults_change_nothing(run: Run, database: Database, stack: Stack, seed: int) -> None:
    choose = random.Random(seed)  # noqa: S311 - the run repeats with its seed
    shop = database.token(stack.api_key).shop
    operations = [
        (
            choose.choice(("add", "add", "update", "remove")),
            choose.randrange(3),
            choose.randint(1, 9),
            choose.sample(FAULTS, choose.randrange(3)),
        )
        for _ in range(15)
    ]

    seen, expected = run("randomFaults", operations=operations, products=[database.sell(shop).id for _ in range(3)])

    assert seen == expected


@pytest.mark.parametrize(
    ("faults", "amounts", "errors"),
    [
        ([""], [3], []),
        (["cut", "", "", "", "429"], [3], []),
        (["", "", "lost"], [3], [0]),
        (["", "", "cut"], [], [0]),
        (["", "", "502 page"], [], [502]),
    ],
    ids=["no fault", "start and throttle", "lost answer", "lost event", "error of a server in between"],
)
def test_events_count_at_most_once(
    *, run: Run, database: Database, stack: Stack, faults: list[str], amounts: list[int], errors: list[int]
) -> None:
    session, failed = run("events", faults=faults)

    assert failed == errors
    assert amounts_of(database, stack, session) == amounts
    found = database.events(stack.hashid, session)
    assert sorted(found) == ["CLICK", "INIT"]
    assert (found["INIT"]["user"], found["CLICK"]["position"]) == ("visitor-7", "3")


def test_events_that_count_once_are_repeated(run: Run, database: Database, stack: Stack) -> None:
    session = run("sale")

    assert list(database.session(stack.hashid, session)) == [("product", "44")]
    assert {"INIT", "IMAGE", "REDIRECT", "CHECKOUT"} <= set(database.events(stack.hashid, session))


def test_arrived_event_is_not_repeated_offline(run: Run, database: Database, stack: Stack) -> None:
    session, errors = run("eventBeforeOffline")

    assert errors == [0]
    assert amounts_of(database, stack, session) == [1]


def test_next_api_key_finds_the_guest(run: Run) -> None:
    assert run("otherKey") == [1, None]


def test_server_has_many_visitors(given: dict[str, Any]) -> None:
    assert in_node("otherVisitor", given) is None


def test_answer_of_a_server_in_between_is_understood(run: Run) -> None:
    assert run("serverInBetween") == [1, [[429, True], [502, False]], ["ShopError", 403, "no answer", []]]


def test_failing_page_prevents_no_request(run: Run, database: Database, stack: Stack) -> None:
    quantity, session, failures = run("failingCallbacks")

    assert quantity == 1
    assert failures == ["onRetry", "onCart", "onError"]
    assert amounts_of(database, stack, session) == [1]


def test_full_storage_lasts_as_long_as_the_page(tab: Page, given: dict[str, Any]) -> None:
    assert tab.evaluate(IN_PAGE, ["fullStorage", given]) == [2, 2, True]


def test_change_arrives_if_the_visitor_leaves(tab: Page, given: dict[str, Any], network: FaultyNetwork) -> None:
    network.late_preflights = True
    tab.evaluate("(given) => scenarios.leaveChange(library, given)", given)
    tab.goto("about:blank")

    wait_until(lambda: [(sent.method, sent.status) for sent in network.sent] == [("POST", 200)])


def test_two_tabs_make_one_guest(context: BrowserContext, empty_page: str, given: dict[str, Any]) -> None:
    tabs = [context.new_page() for _ in range(2)]
    for tab in tabs:
        tab.goto(empty_page)
    for tab in tabs:
        tab.evaluate("(given) => { globalThis.quantity = scenarios.guestsAtOnce(library, given); }", given)

    assert max(tab.evaluate("quantity") for tab in tabs) == 4


def test_change_waits_for_the_network(tab: Page, given: dict[str, Any]) -> None:
    tab.evaluate("({shopUrl: url, apiKey}) => { globalThis.shop = new library.Shop({url, apiKey}); }", given)
    tab.context.set_offline(True)
    tab.evaluate("(product) => { globalThis.change = shop.add({product}); }", given["product"])
    tab.context.set_offline(False)

    assert tab.evaluate("change.then(({cart}) => cart.quantity)") == 1


@pytest.mark.parametrize(
    "leave",
    [lambda tab: tab.close(run_before_unload=True), lambda tab: tab.goto("about:blank")],
    ids=["tab closes", "visitor leaves"],
)
def test_events_are_sent_when_the_page_closes(
    tab: Page, given: dict[str, Any], stack: Stack, database: Database, leave: Callable[[Page], None]
) -> None:
    session = tab.evaluate(IN_PAGE, ["leaveEvents", given])
    leave(tab)

    wait_until(lambda: amounts_of(database, stack, session) == [3])
    time.sleep(LATE_SECONDS)
    assert amounts_of(database, stack, session) == [3], "an event that was on its way was sent again"


def test_package_is_small_current_and_typed(tmp_path: Path) -> None:
    before = BUILT.read_bytes()
    npm = ["npm", "pack", "--silent", "--pack-destination", str(tmp_path)]  # it builds first
    packed = subprocess.run(npm, cwd=CLIENT, check=True, capture_output=True, text=True)  # noqa: S603
    assert BUILT.read_bytes() == before, "clients/js/dist is not of this source: run npm run build there"
    assert len(gzip.compress(before, 9)) <= MAX_GZIPPED

    package = tmp_path / "node_modules" / "serverless-cart"
    with tarfile.open(tmp_path / packed.stdout.splitlines()[-1]) as archive:
        archive.extractall(tmp_path, filter="data")
    package.parent.mkdir()
    (tmp_path / "package").rename(package)
    assert {"LICENSE", "README.md", "dist", "package.json"} == {file.name for file in package.iterdir()}
    assert "dependencies" not in json.loads((package / "package.json").read_text())
    shutil.copy(Path(__file__).with_name("use_client.ts"), tmp_path)
    examples = "\n".join([NAMES_OF_EXAMPLES, *guide.blocks("js", (package / "README.md").read_text())])
    (tmp_path / "examples.mts").write_text(examples.replace("./serverless-cart.js", "serverless-cart"))
    tsc = [str(CLIENT / "node_modules" / ".bin" / "tsc"), "--strict", "--noEmit", "--module", "node20"]
    tsc += ["use_client.ts", "examples.mts"]
    checked = subprocess.run(tsc, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
    assert checked.returncode == 0, checked.stdout

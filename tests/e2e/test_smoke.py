"""cartctl smoke: a purchase over HTTP, and the finding for each step that does not work."""

import json
import re
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from cartctl import app, smoke
from cartctl.connection import Deployment
from cartctl.errors import CartctlError, ExitCode
from cartctl.shell import Invocation
from local.stack import Stack
from tests.support.operator import deployment_of
from tools.support.clients import unique
from tools.support.database import Database

STEPS = ["token", *smoke.STEPS, "clean-up"]


class Smoke:
    """A shop for tests, whose answers a test may change."""

    def __init__(self, deployment: Deployment, database: Database, capsys: pytest.CaptureFixture[str]) -> None:
        self.deployment = deployment
        self.shop = unique("smoke")
        self._capsys = capsys
        app.run(["shop", "create", self.shop], deployment)
        self.product = database.sell(self.shop, price=100, stock=2).id

    def run(self, *more: str) -> tuple[int, dict[str, tuple[str, str]]]:
        """Run the command; return the exit code, and by step the state and both texts."""
        self._capsys.readouterr()
        line = ["smoke", self.shop, "--product", str(self.product), *more, "--json"]
        code = app._commands().main(line, standalone_mode=False, obj=Invocation(given=self.deployment))
        findings = json.loads(self._capsys.readouterr().out)
        return code or 0, {it["check"]: (it["state"], f"{it['seen']} -> {it['advice']}") for it in findings}

    def stock(self) -> int:
        (product,) = app.run(["catalogue", "show", self.shop, str(self.product)], self.deployment)
        return int(product["stock"])

    def valid_tokens(self) -> int:
        tokens = app.run(["customer", "list", self.shop, smoke.CUSTOMER], self.deployment)
        return sum(token["state"] == "valid" for token in tokens)


@pytest.fixture
def test_shop(stack: Stack, database: Database, capsys: pytest.CaptureFixture[str]) -> Smoke:
    return Smoke(deployment_of(stack), database, capsys)


def test_purchase_leaves_stock_and_no_token(test_shop: Smoke) -> None:
    for _ in range(2):
        code, findings = test_shop.run()

        assert (code, list(findings), {state for state, _ in findings.values()}) == (0, STEPS, {"ok"})
        assert (test_shop.stock(), test_shop.valid_tokens()) == (2, 0)


def answered(monkeypatch: pytest.MonkeyPatch, request_line: str, change: int | dict[str, object]) -> None:
    """Change the status or the body of the answers to requests whose method and path match."""
    send = HTTPAdapter.send

    def altered(adapter: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        answer = send(adapter, request, **options)
        if not re.search(request_line, f"{request.method} {request.path_url}"):
            return answer
        if isinstance(change, int):
            answer.status_code = change
        else:
            answer._content = json.dumps(answer.json() | change).encode()
        return answer

    monkeypatch.setattr(HTTPAdapter, "send", altered)


@pytest.mark.parametrize(
    ("step", "request_line", "change", "seen"),
    [
        ("empty cart", "DELETE .*/cart$", {"quantity": 1}, "The cart's quantity is 1 instead of 0"),
        ("item", "POST .*/items$", 503, "POST /api/shop/cart/items answers 503 {"),
        ("item", "POST .*/items$", {"quantity": 2}, "The cart's quantity is 2 instead of 1"),
        ("checkout", "POST .*/items$", {"total": 99}, "POST /api/shop/checkout/cart answers 409 {"),
        ("checkout", "POST .*/cart$", 500, "POST /api/shop/checkout/cart answers 500 {"),
        ("order", "GET .*/orders/", {"status": "pending"}, "The order's status is pending instead of hold"),
        ("order", "GET .*/orders/", {"total": 1}, "The order's total is 1 instead of 100"),
        ("cancel", "POST .*/cancel$", 409, "/cancel answers 409 {"),
        ("cancel", "POST .*/cancel$", {"status": "hold"}, "The order's status is hold instead of cancelled"),
        ("empty again", "GET .*/cart$", {"quantity": 1}, "The cart's quantity is 1 instead of 0"),
    ],
)
def test_wrong_answer_fails_its_step(
    test_shop: Smoke,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    request_line: str,
    *,
    change: int | dict[str, object],
    seen: str,
) -> None:
    answered(monkeypatch, request_line, change)

    code, findings = test_shop.run()

    failed = STEPS.index(step)
    assert (code, list(findings)) == (5, [*STEPS[: failed + 1], "clean-up"])
    assert {name for name, (state, _) in findings.items() if state != "ok"} == {step}
    assert seen in findings[step][1]
    assert f"aws logs tail /aws/lambda/{test_shop.deployment.stack}-{smoke.STEPS[step].log}" in findings[step][1]
    assert ("cartctl order set" in findings[step][1]) is (step in {"order", "cancel"})
    assert test_shop.valid_tokens() == 0


@pytest.mark.parametrize(("step", "counted"), [("checkout", [2, 2]), ("cancel", [2, 1, 1])])
def test_wrong_stock_fails_its_step(
    test_shop: Smoke, monkeypatch: pytest.MonkeyPatch, step: str, counted: list[int]
) -> None:
    stock = iter(counted)
    monkeypatch.setattr(smoke.Visit, "_read_stock", lambda _: next(stock))

    code, findings = test_shop.run()

    assert (code, findings[step][0]) == (5, "failure")
    assert f"The stock is {counted[-1]} instead of {3 - counted[-1]} -> " in findings[step][1]


def test_no_answer_fails_the_step(test_shop: Smoke) -> None:
    object.__setattr__(test_shop.deployment, "shop_url", "http://127.0.0.1:1/live")

    code, findings = test_shop.run()

    assert (code, list(findings)) == (5, ["token", "empty cart", "clean-up"])
    assert "No answer from http://127.0.0.1:1/live/api/shop/cart" in findings["empty cart"][1]


@pytest.mark.parametrize(
    ("settings", "said", "code"),
    [
        (["--stock", "0"], "cannot be bought", ExitCode.FAILED),
        (["--stock", "none"], "cannot be bought", ExitCode.FAILED),
        (["--inactive"], "cannot be bought", ExitCode.FAILED),
        ([], "has no product 999", ExitCode.NOT_FOUND),
    ],
)
def test_product_must_be_for_sale(test_shop: Smoke, settings: list[str], said: str, code: ExitCode) -> None:
    if settings:
        app.run(["catalogue", "set", test_shop.shop, str(test_shop.product), *settings], test_shop.deployment)
    else:
        test_shop.product = 999

    with pytest.raises(CartctlError, match=said) as refused:
        test_shop.run()

    assert refused.value.exit_code == code

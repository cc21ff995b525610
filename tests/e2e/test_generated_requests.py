"""Requests that schemathesis generates from docs/openapi.yaml: valid, invalid, and in sequences, with all checks."""

import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import pytest
import schemathesis
import yaml
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events
from schemathesis.engine.recorder import Interaction, ScenarioRecorder

from local.stack import Stack
from serverless_cart.domain.product import Product
from serverless_cart.domain.public_ids import item_id
from serverless_cart.web.search_cart import AddSessionItem
from serverless_cart.web.search_events import LogClick
from tools.support import figures
from tools.support.clients import GUESTS, INNARDS, NOTE, TITLE, Customer, Visitor, note_answer, sensitive_in
from tools.support.paths import ROOT

EXAMPLES: Final = 10
"""For each operation, and as many sequences; those that cover each keyword of a schema are additional."""
FULL_EXAMPLES: Final = 150
LEAST: Final = 500
FULL_LEAST: Final = 3_000
DOCUMENT: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
SMALLEST_ID: Final = 1e-238
"""A smaller number has more digits than an id may have, which a schema cannot express."""

CONTRACT: Final = {
    ("missing_required_header", 403): "the Search API answers 403 where others answer 401",
    ("unsupported_method", 404): "API Gateway answers 404 where others answer 405",
}
"""The differences between the contract and the expectations of schemathesis: check and status."""
INVALID: Final = {
    *("validation error", "Invalid cart item data", "Bad request", "Bad request, dfid is invalid"),
    *("Invalid redirect id", "invalid_user_id"),
}
"""The errors that no valid request may get."""


@dataclass
class Outcome:
    """The results of the requests to one form of an API."""

    answers: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    differences: Counter[tuple[str, int]] = field(default_factory=Counter)

    def add(self, scenario: ScenarioRecorder) -> None:
        """Add the answers of a scenario and the findings of its checks."""
        for case_id, interaction in scenario.interactions.items():
            self._answered(interaction, valid=_is_valid(scenario, case_id))
        for checks in scenario.checks.values():
            for check in checks:
                if check.failure_info:
                    failure, sample = check.failure_info.failure, check.failure_info.code_sample
                    difference = (check.name, getattr(failure, "status_code", 0))
                    self.differences[difference] += 1
                    if difference not in CONTRACT:
                        self.faults.append(f"{failure.operation}: {failure.title}\n{failure.message}\n{sample}")

    def _answered(self, interaction: Interaction, *, valid: bool) -> None:
        """Check an answer for what schemathesis does not know."""
        response = interaction.response
        if response is None:
            self.faults.append(f"{interaction.request.method} {interaction.request.uri}: no answer")
            return
        self.answers[response.status_code] += 1
        note_answer(response)
        if response.status_code >= 400:
            if INNARDS.search(response.text) or sensitive_in(response.text):
                self.faults.append(f"an answer has a secret: {response.text}")
            error = response.json()["error"]
            if valid and isinstance(error, str) and error in INVALID:
                self.faults.append(f"a valid request got {response.text}: {interaction.request.uri}")


def _is_valid(scenario: ScenarioRecorder, case_id: str) -> bool:
    """Return whether a request was generated as a valid one."""
    meta = scenario.cases[case_id].value.meta if case_id in scenario.cases else None
    return meta is not None and meta.generation.mode.is_positive


def send(document: dict[str, Any], settings: dict[str, Any], *, seed: int, full: bool) -> Outcome:
    """Send the requests that schemathesis generates from a document."""
    config = SchemathesisConfig.from_dict({
        "seed": seed,
        "continue-on-failure": True,
        "cache": {"enabled": False},
        "generation": {"max-examples": FULL_EXAMPLES if full else EXAMPLES, "database": "none", "no-shrink": True},
        **settings,
    })  # fmt: skip
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.hook("filter_case")(_is_describable)
    outcome = Outcome()
    for event in engine.from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            outcome.add(event.recorder)
        elif isinstance(event, events.NonFatalError):
            outcome.faults.append(f"{event.label}: {event.value!r}")
    return outcome


def _is_describable(_context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Return False for requests that the document or the local cloud cannot treat correctly.

    A schema cannot limit the digits of a number. In a query string, an object or a list becomes a repeated parameter,
    whose last value may be valid. schemathesis does not know ``allowEmptyValue``, and it copies a session id from a
    path, percent-encoded. The local cloud decodes a path before it compares it with the authorizer's policy, whose
    wildcard then matches no newline.
    """
    id_ = case.body.get("id") if isinstance(case.body, dict) else None
    too_small = isinstance(id_, float) and 0 < abs(id_) < SMALLEST_ID
    if isinstance(case.body, dict):
        too_small |= any(isinstance(case.body.get(name), float) for name in ("custom_results_id", "resource_id"))
    fields = {*AddSessionItem.model_fields, *LogClick.model_fields}
    unclear = any(isinstance((case.query or {}).get(name), dict | list) for name in fields)
    unclear |= any((case.query or {}).get(name) == "" for name in ("amount", "price", "position"))
    copied = "%" in str((case.query or {}).get("session_id", ""))
    return not too_small and not unclear and not copied and "\n" not in unquote(str(case.path_parameters or ""))


def document_of(prefix: str) -> dict[str, Any]:
    """Return the document of the API whose paths begin so."""
    document = copy.deepcopy(DOCUMENT)
    document["paths"] = {path: item for path, item in document["paths"].items() if path.startswith(prefix)}
    for item in document["paths"].values():
        del item["servers"]
    return document


def search_document(form: str, visitor: Visitor) -> dict[str, Any]:
    """Return the document of the Search API for clients that send bodies, or query strings.

    OpenAPI cannot express that the body wins over the query string, field by field.
    """
    document = document_of("/6/")
    parameters = document["components"]["parameters"]
    parameters["Hashid"]["schema"] = {"enum": [visitor.hashid, visitor.hashid.upper()]}
    dfid = {"type": "string", "enum": [f"{visitor.hashid}@product@{'0' * 32}"]}
    document["components"]["schemas"]["LogClick"]["properties"]["dfid"] = parameters["EventDfid"]["schema"] = dfid
    for operations in document["paths"].values():
        for method, operation in operations.items():
            names = [reference["$ref"].rpartition("/")[2] for reference in operation["parameters"]]
            kept = [name for name in names if name != "EventSources"]  # any text in a query string is a list of it
            if form == "query string" or method == "get":
                operation.pop("requestBody", None)
            elif operation["operationId"] != "emptySessionCart":
                operation["requestBody"]["required"] = True
                kept = [name for name in names if name in {"Hashid", "SessionId"}]
            operation["parameters"] = [{"$ref": f"#/components/parameters/{name}"} for name in kept]
    for name in ("ItemId", "ItemIndex", "ItemTitle", "EventSessionId", "EventDfid", "EventNumberedId"):
        parameters[name]["required"] = True
    return document


outcomes: dict[str, Outcome] = {}


@pytest.mark.parametrize("form", ["body", "query string"])
def test_search_api_answers_as_described(stack: Stack, visitor: Visitor, form: str, seed: int, *, full: bool) -> None:
    outcome = outcomes[form] = send(
        search_document(form, visitor),
        {
            "base-url": stack.search_url,
            "headers": {"Authorization": f"Token {visitor.token}"},
            "checks": {
                "positive_data_acceptance": {"expected-statuses": [200]},
                "use_after_free": {"enabled": False},  # an event after DELETE creates the cart again
            },
            "dictionaries": {"titles": {"values": [TITLE]}},
            "parameters": {"body.title": {"dictionary": "titles", "probability": 0.2}},
        },
        seed=seed,
        full=full,
    )
    assert outcome.faults == [], "\n".join(outcome.faults)
    assert set(outcome.answers) == {200, 400, 403, 404}
    assert outcome.answers[200] > outcome.answers.total() / 3


@pytest.fixture
def orders(customer: Customer, lamp: Product) -> list[str]:
    """Make a few orders of a customer; return their keys."""
    for _ in range(3):
        assert customer.add(lamp.id).status == 200
        assert customer.check_out().status == 200
    return [order["key"] for order in customer.orders().body["results"]]


def test_shop_api_answers_as_described(
    *, stack: Stack, visitor: Visitor, customer: Customer, orders: list[str], seed: int, full: bool
) -> None:
    products = [product.id for product in stack.products]
    document = document_of("/api/shop/")
    del document["paths"][GUESTS]  # which has another credential, and no parameter
    guest = customer.http.send("POST", GUESTS, token=visitor.token).body["token"]
    document["components"]["schemas"]["MergeGuest"]["properties"]["token"] = {"type": "string", "enum": [guest]}
    del document["components"]["parameters"]["IdempotencyKey"]["example"]  # which half of the requests would repeat
    outcome = outcomes["shop"] = send(
        document,
        {
            "base-url": stack.shop_url,
            "headers": {"Authorization": f"Token {customer.token}"},
            # No product, no item, another total or version, a key of another request: valid for a schema.
            "checks": {"positive_data_acceptance": {"expected-statuses": [200, 304, 400, 404, 409, 412, 422]}},
            "dictionaries": {
                "products": {"values": products},
                "items": {"values": [item_id(customer.owner, product) for product in products]},
                "notes": {"values": [NOTE]},
                "orders": {"values": orders},
            },
            "parameters": {
                "body.product": {"dictionary": "products", "probability": 0.8},
                "path.id": {"dictionary": "items", "probability": 0.8},
                "path.key": {"dictionary": "orders", "probability": 0.8},
                "body.notes": {"dictionary": "notes", "probability": 0.2},
            },
        },
        seed=seed,
        full=full,
    )
    assert outcome.faults == [], "\n".join(outcome.faults)
    assert {200, 400, 401, 404, 409, 412} <= set(outcome.answers) <= {200, 304, 400, 401, 404, 409, 412, 422}
    assert outcome.answers[200] > outcome.answers.total() / 5


def test_management_api_answers_as_described(stack: Stack, orders: list[str], seed: int, *, full: bool) -> None:
    document = document_of("/api/v2/")
    del document["components"]["parameters"]["Customer"]["example"]  # a customer of other tests, to sign out
    outcome = outcomes["management"] = send(
        document,
        {
            "base-url": stack.management_url,
            "headers": {"Authorization": f"Token {stack.management_key}"},
            # A customer's id with a space at its end, or with a slash, which the local cloud decodes first; a hashid
            # of no engine of the shop; an order that cannot have the status any more.
            "checks": {"positive_data_acceptance": {"expected-statuses": [200, 201, 400, 403, 404, 409]}},
            "dictionaries": {"customers": {"values": ["generated-1", "Zo%C3%AB"]}, "orders": {"values": orders}},
            "parameters": {
                "path.customer": {"dictionary": "customers", "probability": 0.7},
                "path.key": {"dictionary": "orders", "probability": 0.8},
            },
        },
        seed=seed,
        full=full,
    )
    assert outcome.faults == [], "\n".join(outcome.faults)
    assert {200, 201, 400, 401, 403, 409} <= set(outcome.answers) <= {200, 201, 400, 401, 403, 404, 409}


def test_enough_requests_and_every_difference(seed: int, command: str, *, full: bool) -> None:
    answers = sum((outcome.answers for outcome in outcomes.values()), Counter[int]())
    differences = sum((outcome.differences for outcome in outcomes.values()), Counter[tuple[str, int]]())
    figures.record(
        "generated requests",
        command,
        seed=seed,
        requests=answers.total(),
        server_errors=sum(count for status, count in answers.items() if status >= 500),
        deviations_from_the_document=sum(len(outcome.faults) for outcome in outcomes.values()),
        **{f"answers_{status}": count for status, count in sorted(answers.items())},
    )
    assert answers.total() >= (FULL_LEAST if full else LEAST)
    assert set(differences) == set(CONTRACT)

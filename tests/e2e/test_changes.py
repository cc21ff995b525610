"""Changes of tokens and shops take effect within the time for which the gateway keeps the authorizer's answers."""

import time

import pytest

from tests.e2e.conftest import Changed
from tests.support.shopper import BANNED, FORBIDDEN, FOREIGN_ORIGIN, UNAUTHENTICATED

CACHE = 60
"""Seconds for which the gateway keeps an answer."""


@pytest.fixture(scope="module", autouse=True)
def _cache_has_ended(changed: Changed) -> None:
    """Wait until the gateway has forgotten what it was told before the changes; mostly it has by now."""
    time.sleep(max(0.0, changed.seen_at + CACHE + 1 - time.time()))


def test_a_revoked_key_opens_nothing(changed: Changed) -> None:
    assert changed.revoked_visitor.put("42") == FORBIDDEN


def test_a_revoked_token_opens_nothing(changed: Changed) -> None:
    assert changed.revoked_customer.add(1) == UNAUTHENTICATED


def test_a_token_that_has_expired_since_opens_nothing(changed: Changed) -> None:
    assert changed.expired_customer.add(1) == UNAUTHENTICATED


def test_a_token_that_was_issued_since_opens(changed: Changed) -> None:
    assert changed.new_customer.add(1).body["error"] == "invalid product"


def test_networks_that_were_blocked_since_are_blocked(changed: Changed) -> None:
    assert changed.other_customer.add(1, headers={"X-Forwarded-For": "192.0.2.1"}) == BANNED


def test_origins_that_were_listed_since_are_the_only_ones(changed: Changed) -> None:
    assert changed.other_customer.add(1, headers={"Origin": "https://elsewhere.example"}) == FOREIGN_ORIGIN

"""Changes of tokens and shops take effect within the time for which the gateway caches the authorizer's answers."""

import time

import pytest

from tests.support.shopper import BANNED, FORBIDDEN, FOREIGN_ORIGIN, UNAUTHENTICATED, Changed

CACHE = 60
"""Seconds for which the gateway caches an answer."""

pytestmark = pytest.mark.last(2)  # the cache has expired by then, mostly


@pytest.fixture(scope="module", autouse=True)
def _cache_has_expired(changed: Changed) -> None:
    time.sleep(max(0.0, changed.cached_at + CACHE + 1 - time.time()))


def test_revoked_key_opens_nothing(changed: Changed) -> None:
    assert changed.revoked_visitor.put("42") == FORBIDDEN


def test_revoked_token_opens_nothing(changed: Changed) -> None:
    assert changed.revoked_customer.add(1) == UNAUTHENTICATED


def test_expired_token_opens_nothing(changed: Changed) -> None:
    assert changed.expired_customer.add(1) == UNAUTHENTICATED


def test_new_token_opens(changed: Changed) -> None:
    assert changed.new_customer.add(1).body["error"] == "invalid product"


def test_newly_blocked_network_is_banned(changed: Changed) -> None:
    assert changed.other_customer.add(1, headers={"X-Forwarded-For": "192.0.2.1"}) == BANNED


def test_newly_listed_origins_are_the_only_ones(changed: Changed) -> None:
    assert changed.other_customer.add(1, headers={"Origin": "https://elsewhere.example"}) == FOREIGN_ORIGIN

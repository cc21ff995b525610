"""Changes of tokens and shops take effect within the time for which the gateway caches the authorizer's answers."""

import time
from collections.abc import Callable

import pytest

from tests.support.shopper import BANNED, FORBIDDEN, FOREIGN_ORIGIN, ITEM_NOT_FOUND, UNAUTHENTICATED, Changed
from tools.support.clients import Reply

CACHE = 60
"""Seconds for which the gateway caches an answer."""

pytestmark = pytest.mark.last(2)  # the cache has expired by then, mostly


@pytest.fixture(scope="module", autouse=True)
def _cache_has_expired(changed: Changed) -> None:
    time.sleep(max(0.0, changed.cached_at + CACHE + 1 - time.time()))


CHANGES: dict[str, tuple[Callable[[Changed], Reply], Reply]] = {
    "revoked key": (lambda it: it.revoked_visitor.put("42"), FORBIDDEN),
    "revoked token": (lambda it: it.revoked_customer.add(1), UNAUTHENTICATED),
    "expired token": (lambda it: it.expired_customer.add(1), UNAUTHENTICATED),
    "new token": (lambda it: it.new_customer.read_item(1), ITEM_NOT_FOUND),
    "blocked network": (lambda it: it.other_customer.add(1, headers={"X-Forwarded-For": "192.0.2.1"}), BANNED),
    "listed origins": (lambda it: it.other_customer.add(1, headers={"Origin": "https://x.example"}), FOREIGN_ORIGIN),
}


@pytest.mark.parametrize("name", CHANGES)
def test_change_takes_effect_in_a_minute(changed: Changed, name: str) -> None:
    send, reply = CHANGES[name]
    assert send(changed) == reply

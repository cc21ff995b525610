"""The lease on a catalogue, on every engine: its conditional writes let only one holder have it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from serverless_cart.dynamodb.leases import DELETED_AFTER, Lease, LeaseEnded, LeaseHeld, LeaseStore
from serverless_cart.dynamodb.table import Table
from tests.support.engines import Rows

pytestmark = pytest.mark.every_engine

NOW = 1_800_000_000_000
ANNA, BOB = Lease("a" * 32, "anna@one", NOW), Lease("b" * 32, "bob@two", NOW + 1)


@pytest.fixture
def store(table: Table) -> LeaseStore:
    return LeaseStore(table, "my-shop", lambda: NOW)


def test_held_lease_is_not_taken(store: LeaseStore, table: Table, rows: Rows) -> None:
    store.take(ANNA)
    stored = rows()

    for abandoned in (None, replace(ANNA, renewals=1), replace(ANNA, owner="c" * 32)):
        with pytest.raises(LeaseHeld) as held:
            store.take(BOB, abandoned)
        assert held.value.lease == ANNA
    assert rows() == stored
    LeaseStore(table, "my-shop-2", lambda: NOW).take(BOB)


def test_lease_ends_long_after_its_last_renewal(store: LeaseStore, rows: Rows) -> None:
    store.take(ANNA)
    store.renew(ANNA)

    ((key, item),) = rows().items()

    assert (key.pk, item["expires_at"]) == ("PRODUCT#my-shop#LEASE", {"N": str(NOW // 1000 + DELETED_AFTER)})


def test_abandoned_lease_is_taken_once(store: LeaseStore) -> None:
    store.take(ANNA)
    abandoned = store.renew(ANNA)
    store.ask_to_stop(abandoned, "bob@two")  # no renewal

    store.take(BOB, abandoned)

    with pytest.raises(LeaseHeld) as held:
        store.take(replace(ANNA, owner="c" * 32), abandoned)
    assert held.value.lease == BOB
    with pytest.raises(LeaseEnded) as ended:
        store.renew(abandoned)
    assert ended.value.wanted_by is None
    store.release(abandoned)
    assert store.renew(BOB) == replace(BOB, renewals=1)


def test_holder_asked_to_stop_cannot_renew(store: LeaseStore, rows: Rows) -> None:
    store.take(ANNA)
    store.ask_to_stop(replace(ANNA, owner="c" * 32), "carl@three")
    renewed = store.renew(ANNA)
    store.ask_to_stop(renewed, "bob@two")

    with pytest.raises(LeaseEnded) as ended:
        store.renew(renewed)

    assert ended.value.wanted_by == "bob@two"
    store.release(renewed)
    assert rows() == {}
    with pytest.raises(LeaseEnded):
        store.renew(renewed)
    store.ask_to_stop(renewed, "bob@two")
    assert rows() == {}, "a lease that has ended does not come back"


@pytest.mark.engine
@pytest.mark.parametrize("abandoned", [None, ANNA], ids=["free", "abandoned"])
def test_one_of_many_at_once_takes_the_lease(store: LeaseStore, rows: Rows, abandoned: Lease | None) -> None:
    if abandoned:
        store.take(abandoned)

    def takes(number: int) -> bool:
        try:
            store.take(replace(BOB, owner=str(number)), abandoned)
        except LeaseHeld:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        taken = [number for number, took in enumerate(pool.map(takes, range(64))) if took]

    (item,) = rows().values()
    assert [str(number) for number in taken] == [item["owner"]["S"]]

"""The lease on a shop's catalogue: one item, which only its holder renews, for cartctl. No function uses it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from serverless_cart.dynamodb import keys
from serverless_cart.dynamodb.attributes import (
    Item,
    key_attributes,
    number,
    read_int,
    read_optional_text,
    read_text,
    text,
)
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.table import ConditionFailed, Table

DELETED_AFTER: Final = 24 * 3_600
"""Seconds until TTL deletes a lease that no one renews. Far more than clocks differ: it never deletes a live one."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as stored. ``owner`` is random, ``holder`` names its person and machine, ``since`` is milliseconds.

    ``renewals`` grows with each renewal. ``wanted_by`` names the person who asked the holder to stop.
    """

    owner: str
    holder: str
    since: int
    renewals: int = 0
    wanted_by: str | None = None


class LeaseHeld(Exception):
    """Another holder has the lease."""

    def __init__(self, lease: Lease) -> None:
        super().__init__()
        self.lease = lease


class LeaseEnded(Exception):
    """The lease belongs to another holder, was deleted, or its holder was asked to stop by ``wanted_by``."""

    def __init__(self, wanted_by: str | None) -> None:
        super().__init__()
        self.wanted_by = wanted_by


class LeaseStore:
    """The lease on one shop's catalogue. Its methods raise `Unavailable`."""

    def __init__(self, table: Table, shop: str, clock: Callable[[], int]) -> None:
        """``clock`` returns milliseconds since 1970."""
        self.shop = shop
        self._table = table
        self._key = keys.catalogue_lease(shop)
        self._clock = clock

    def take(self, lease: Lease, abandoned: Lease | None = None) -> None:
        """Store the lease if there is none, or only the ``abandoned`` one, not renewed. Raises `LeaseHeld`."""
        condition = Expression()
        free = f"attribute_not_exists({condition.name('owner')})"
        if abandoned:
            owner = f"{condition.name('owner')} = {condition.value(text(abandoned.owner))}"
            renewals = f"{condition.name('renewals')} = {condition.value(number(abandoned.renewals))}"
            free = f"({free} OR ({owner} AND {renewals}))"
        condition.require(free)
        try:
            self._table.put(self._item(lease), condition)
        except ConditionFailed as failed:
            held: Any = failed.item  # without an item, the condition holds
            raise LeaseHeld(_lease(held)) from None

    def renew(self, lease: Lease) -> Lease:
        """Renew the lease and return it. Raises `LeaseEnded`."""
        renewed = replace(lease, renewals=lease.renewals + 1)
        condition = _is_owner(lease)
        condition.require_absent("wanted_by")
        try:
            self._table.put(self._item(renewed), condition)
        except ConditionFailed as failed:
            stored = _lease(failed.item) if failed.item else None
            raise LeaseEnded(stored.wanted_by if stored and stored.owner == lease.owner else None) from None
        return renewed

    def ask_to_stop(self, lease: Lease, wanted_by: str) -> None:
        """Ask the holder of this lease to stop. Nothing happens if the lease has ended."""
        request = _is_owner(lease)
        request.set("wanted_by", text(wanted_by))
        try:
            self._table.update(self._key, request)
        except ConditionFailed:
            return

    def release(self, lease: Lease) -> None:
        """Delete the lease. Nothing happens if it has ended."""
        try:
            self._table.delete(self._key, _is_owner(lease))
        except ConditionFailed:
            return

    def _item(self, lease: Lease) -> Item:
        return {
            **key_attributes(self._key),
            "owner": text(lease.owner),
            "holder": text(lease.holder),
            "since": number(lease.since),
            "renewals": number(lease.renewals),
            "expires_at": number(self._clock() // 1000 + DELETED_AFTER),
        }


def _is_owner(lease: Lease) -> Expression:
    condition = Expression()
    condition.require_equal("owner", text(lease.owner))
    return condition


def _lease(item: Item) -> Lease:
    return Lease(
        owner=read_text(item, "owner"),
        holder=read_text(item, "holder"),
        since=read_int(item, "since"),
        renewals=read_int(item, "renewals"),
        wanted_by=read_optional_text(item, "wanted_by"),
    )

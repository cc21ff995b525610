"""The lease that a command holds while it changes a catalogue, so that two commands never mix their changes.

The holder renews the lease in the background, and writes only if its last renewal is less than `HOLD_SECONDS` old.
Another command takes a lease only after it has seen no renewal for `LEASE_SECONDS` by its own clock. No time of one
machine is compared with that of another: their clocks may differ, but must run at the same speed (docs/decisions.md).
"""

import getpass
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from cartctl.errors import CartctlError
from cartctl.output import Output, moment, text
from cartctl.progress import progress_bar
from cartctl.shell import Invocation, explain
from serverless_cart.clock import clock
from serverless_cart.dynamodb.leases import Lease, LeaseEnded, LeaseHeld, LeaseStore
from serverless_cart.service.errors import Unavailable

RENEW_SECONDS: Final = 3.0
"""Seconds between two renewals."""
HOLD_SECONDS: Final = 20.0
"""Seconds after a renewal in which its holder may send a write."""
LEASE_SECONDS: Final = 60.0
"""Seconds without a renewal after which a lease is abandoned: `HOLD_SECONDS`, 35 of a request that was sent just before
(`connection.client_config`), and 5 in reserve."""
POLL_SECONDS: Final = 0.5
"""Seconds between two attempts to take a lease."""


class LeaseLostError(CartctlError):
    """The holder of a lease may not write any more. The message is the reason, without a full stop."""


class HeldLease:
    """A lease that this process holds. Threads share it."""

    def __init__(self, store: LeaseStore, lease: Lease, taken_at: tuple[float, float]) -> None:
        """``taken_at`` is the moment before the lease was requested."""
        self.ended = threading.Event()
        self.writers = 0
        self._this_thread = threading.local()
        self._store = store
        self._lease = lease
        self._renewed_at = taken_at
        self._lost = ""
        self._failure: Exception | None = None
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise `LeaseLostError` if this process may not write any more."""
        if self._lost:
            raise LeaseLostError(self._lost)
        if self.ended.is_set():
            raise LeaseLostError("The command has ended")
        if _seconds_since(self._renewed_at) >= HOLD_SECONDS:
            reason = f" ({_explain(self._failure)})" if self._failure else ""
            raise LeaseLostError(
                f"The lease on the catalogue could not be renewed for {HOLD_SECONDS:.0f} seconds{reason}"
            ) from self._failure

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write to the catalogue. Raises `LeaseLostError`, also in place of the failure that it caused."""
        self.check()
        with self._lock:
            self.writers += 1
        self._this_thread.writes = True
        try:
            yield
        except Unavailable:
            self.check()
            raise
        finally:
            self._this_thread.writes = False
            with self._lock:
                self.writers -= 1

    def check_attempt(self, **_: object) -> None:
        """Check before each attempt of a write, retries of the SDK included, of the threads in `writing`."""
        if getattr(self._this_thread, "writes", False):
            self.check()

    def renew(self) -> None:
        """Renew the lease until it ends. A renewal that fails is repeated; `check` reports it when it matters."""
        while not self.ended.wait(RENEW_SECONDS):
            sent_at = _moment()
            try:
                self._lease = self._store.renew(self._lease)
            except LeaseEnded as ended:
                by = f"{ended.wanted_by} stopped this command with --force" if ended.wanted_by else ""
                self._lost = by or "Another command has taken the lease on the catalogue"
                return
            except (Unavailable, ClientError, BotoCoreError) as error:
                self._failure = error
            else:
                self._renewed_at = sent_at

    def release(self) -> None:
        """Let another command take the lease at once. Raises what the table raises."""
        self._store.release(self._lease)


@contextmanager
def catalogue_lease(
    run: Invocation, shop: str, check_shop: Callable[[], None], *, force: bool = False
) -> Iterator[HeldLease]:
    """Hold the lease on a shop's catalogue; with ``force``, ask its present holder to stop, and wait for that.

    ``check_shop`` is called before each attempt to take it. An abandoned lease is waited for and taken. Raises
    `CartctlError` if another command holds it.
    """
    store = LeaseStore(run.deployment.table, shop, clock)
    lease = Lease(secrets.token_hex(16), _who(), clock())
    held = HeldLease(store, lease, _take(run.out, store, lease, check_shop, force=force))
    renewer = threading.Thread(target=held.renew, daemon=True)
    events: Any = run.deployment.dynamodb.meta.events
    events.register_first("before-send.dynamodb", held.check_attempt)
    renewer.start()
    try:
        yield held
    finally:
        held.ended.set()
        renewer.join(timeout=RENEW_SECONDS)
        if held.writers:  # a second interruption: some writes are still on their way
            run.out.status(f"The lease on the catalogue ends in {LEASE_SECONDS:.0f} seconds.")
        else:
            _release(run.out, held)
            events.unregister("before-send.dynamodb", held.check_attempt)


def _take(
    out: Output, store: LeaseStore, lease: Lease, check_shop: Callable[[], None], *, force: bool
) -> tuple[float, float]:
    """Take the lease and return the moment before it was requested. Raises `CartctlError`."""
    seen: Lease | None = None
    seen_at, asked = 0.0, ""
    with progress_bar(out) as progress:
        while True:
            check_shop()
            sent_at = _moment()
            abandoned = seen if time.monotonic() - seen_at >= LEASE_SECONDS else None
            try:
                store.take(lease, abandoned)
            except LeaseHeld as held:
                found = held.lease
            else:
                return sent_at
            if seen is None:
                progress.add_task(f"Waiting for {found.holder}", total=LEASE_SECONDS)
                if force:
                    asked = found.owner
                    store.ask_to_stop(found, lease.holder)
                out.status(_waiting(store.shop, found, asked=force))
            elif found.owner == seen.owner and found.renewals != seen.renewals and found.owner != asked:
                raise CartctlError(
                    f"{_described(store.shop, found)}: wait until that command has ended, or pass --force to "
                    "catalogue import to stop it."
                )
            if seen is None or (found.owner, found.renewals) != (seen.owner, seen.renewals):
                seen, seen_at = found, time.monotonic()
            for task in progress.task_ids:
                progress.update(task, completed=time.monotonic() - seen_at)
            time.sleep(POLL_SECONDS)


def _release(out: Output, held: HeldLease) -> None:
    try:
        held.release()
    except (Unavailable, ClientError, BotoCoreError) as error:
        # What the command did is done; the lease ends by itself.
        out.status(
            f"The lease on the catalogue was not released ({_explain(error)}): it ends in {LEASE_SECONDS:.0f} seconds."
        )


def _described(shop: str, lease: Lease) -> str:
    return f"{lease.holder} has been changing the catalogue of shop {shop} since {text(moment(lease.since))}"


def _waiting(shop: str, lease: Lease, *, asked: bool) -> str:
    if asked:
        return f"{_described(shop, lease)}: asked that command to stop, and waiting until it writes no more."
    return f"{_described(shop, lease)}: checking for up to {LEASE_SECONDS:.0f} seconds whether that command still runs."


def _explain(error: Exception | None) -> str:
    if isinstance(error, (ClientError, BotoCoreError)):
        return explain(error)
    return "DynamoDB throttles or does not answer"


def _who() -> str:
    """Return the user and host, for messages only."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container whose user has no name
        user = "someone"
    return "".join(character for character in f"{user}@{socket.gethostname()}" if character.isprintable())[:100]


def _moment() -> tuple[float, float]:
    return time.monotonic(), time.time()


def _seconds_since(moment_: tuple[float, float]) -> float:
    # The one clock stands still while the machine sleeps, the other may be set back.
    return max(time.monotonic() - moment_[0], time.time() - moment_[1])

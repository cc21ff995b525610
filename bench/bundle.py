"""The functions over a table: each operation runs once on DynamoDB Local, and can then be repeated."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench import functions, replay
from bench.engine import new_table
from bench.functions import Handler, Log
from bench.operations import Operation, operations, shared_rows
from bench.replay import Exchange, Replay
from local import dynamodb_local
from serverless_cart.dynamodb.attributes import key_of


@dataclass(frozen=True)
class Run:
    """An operation that has run: its calls, and the bytes of its answer and log lines."""

    operation: Operation
    handler: Handler
    exchanges: list[Exchange]
    answered: int
    logged: int

    def repeat(self) -> None:
        """Run the operation again. Raises `RuntimeError` if it fails."""
        answer = self.handler(self.operation.event, functions.Context())
        if answer.get("statusCode", 200) >= 300:
            raise RuntimeError(f"{self.operation.title} was answered {answer}")


@dataclass(frozen=True)
class Bundle:
    """All operations, their database and their log."""

    runs: list[Run]
    database: Replay
    log: Log


@contextmanager
def running() -> Iterator[Bundle]:
    """Run each operation once; the database exists as long as the context."""
    with dynamodb_local.running() as engine, replay.running(engine) as database:
        log = Log()
        handlers = functions.load(database.address, log)
        _fill(engine)
        yield Bundle(
            [_run(operation, handlers[operation.function], database, log) for operation in operations()], database, log
        )


def _run(operation: Operation, handler: Handler, database: Replay, log: Log) -> Run:
    database.exchanges()
    before = log.bytes
    with log.taking():
        answer = handler(operation.event, functions.Context())
    if answer.get("statusCode", 200) >= 300:
        raise RuntimeError(f"{operation.title} was answered {answer}")
    return Run(operation, handler, database.exchanges(), len(answer.get("body", "").encode()), log.bytes - before)


def _fill(engine: str) -> None:
    """Create the table with the items that the operations need."""
    rows = {key_of(row): row for rows in (shared_rows(), *(it.rows for it in operations())) for row in rows}
    new_table(engine).write_many({"PutRequest": {"Item": row}} for row in rows.values())

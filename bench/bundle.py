"""The functions over a table: every operation is carried out once on DynamoDB Local, and can be repeated after that."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench import functions, replay
from bench.engine import new_table
from bench.functions import Handler, Log
from bench.operations import Operation, operations, shared_rows
from bench.replay import Exchange, Replay
from local import dynamodb_local


@dataclass(frozen=True)
class Run:
    """An operation as it was carried out: its calls, the bytes of its answer and of its log lines."""

    operation: Operation
    handler: Handler
    exchanges: list[Exchange]
    answered: int
    logged: int

    def repeat(self) -> None:
        """Carry it out again. Raises `RuntimeError` unless it succeeds."""
        answer = self.handler(self.operation.event, functions.Context())
        if answer.get("statusCode", 200) != 200:
            raise RuntimeError(f"{self.operation.title} was answered {answer}")


@dataclass(frozen=True)
class Bundle:
    """All of them, the database that they share, and where their log goes."""

    runs: list[Run]
    database: Replay
    log: Log


@contextmanager
def running() -> Iterator[Bundle]:
    """Carry every operation out once, and keep the database for as long as the context lasts."""
    with dynamodb_local.running() as engine, replay.running(engine) as database:
        log = Log()
        handlers = functions.load(database.address, log)
        _fill(engine)
        yield Bundle(
            [_run(operation, handlers[operation.function], database, log) for operation in operations()], database, log
        )


def _run(operation: Operation, handler: Handler, database: Replay, log: Log) -> Run:
    """Carry an operation out for the first time."""
    database.exchanges()
    before = log.bytes
    with log.taking():
        answer = handler(operation.event, functions.Context())
    if answer.get("statusCode", 200) != 200:
        raise RuntimeError(f"{operation.title} was answered {answer}")
    return Run(operation, handler, database.exchanges(), len(answer.get("body", "").encode()), log.bytes - before)


def _fill(engine: str) -> None:
    """Make the table and put in it what the operations suppose."""
    rows = [*shared_rows(), *(row for operation in operations() for row in operation.rows)]
    new_table(engine).write_many({"PutRequest": {"Item": row}} for row in rows)

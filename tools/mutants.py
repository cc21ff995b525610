"""Change the code in small ways, one at a time, and list the changes that no unit test notices.

`make mutants` runs it. mutmut makes the mutants: all of them, of every function of domain, service and dynamodb. Its
own runner is not used, because it writes into the sources, which some unit tests read, and skips decorated functions.
Here the tests are collected once. Each mutant runs in a fork of that process, where the function has the mutant's code.
It runs the tests that reach the changed statement, the fastest first, and ends at the first failure.

The order of the mutants looks random but is always the same, so the ones tried before the time is up are a fair sample.
What runs when a module is imported is not mutated: constants, defaults of dataclasses, decorators.
"""

import ast
import functools
import gc
import hashlib
import os
import pickle
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from types import CodeType, FunctionType
from typing import Annotated, Final, TextIO

import boto3
import coverage  # type: ignore[import-not-found,unused-ignore]
import libcst  # type: ignore[import-not-found,unused-ignore]
import pytest
import typer
from botocore.loaders import JSONFileLoader
from hypothesis import Phase, settings
from mutmut.mutation.file_mutation import (  # type: ignore[import-not-found,unused-ignore]
    create_mutations,
    deep_replace,
)

from tools.support.paths import ROOT

PACKAGE: Final = ROOT / "layers" / "application" / "serverless_cart"
PARTS: Final = ("domain", "service", "dynamodb")
TESTS: Final = "tests/unit"
REPORT: Final = ROOT / ".local" / "mutants.txt"
IGNORED: Final = "-Wignore::pytest.PytestAssertRewriteWarning"
"""Hypothesis is imported before pytest, which warns that it cannot rewrite its assertions."""
MEMORY: Final = 6 * 2**30
"""Bytes that a mutant may use. Some never end and would take all there is."""
KILLED, TIMED_OUT, SURVIVED, NO_TEST, NOT_TRIED = "killed", "timed out", "survived", "reached by no test", "not tried"

Reached = dict[str, dict[int, set[int]]]
"""The numbers of the tests that reach a line, by file and line."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of one function. Its ``name`` has no line numbers, so that two runs can be compared."""

    name: str
    file: Path
    function: str
    source: str
    """The whole module with the change."""
    lines: range
    """The lines of the changed statement, in the unchanged module."""


def main(minutes: Annotated[float, typer.Option(min=1, help="How long to run at most.")] = 60) -> None:
    """Try the mutants and list those that no test noticed, also in .local/mutants.txt."""
    deadline = time.monotonic() + minutes * 60
    # One failure is enough: it needs no smallest example. The tests' own profile is based on this one.
    settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate])
    settings.load_profile("mutants")
    with tempfile.TemporaryDirectory() as scratch, os.fdopen(os.dup(1), "w", buffering=1) as terminal:
        output = Path(scratch, "output")
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), 1)  # what pytest prints, here and in every fork
        run = Run(deadline, Path(scratch), terminal)
        arguments = [TESTS, f"--rootdir={ROOT}", f"--basetemp={scratch}/tests", "--seed=1", IGNORED]
        status = pytest.main([*arguments, "--quiet", "-p", "no:cacheprovider"], plugins=[run])
        if status or run.error:
            sys.exit(f"{output.read_text()}\n{run.error}")


class Run:
    """The run, as a plugin of pytest: it replaces the loop over the collected tests."""

    def __init__(self, deadline: float, scratch: Path, terminal: TextIO) -> None:
        """Keep when to stop and where to write."""
        self.error = ""
        self._deadline = deadline
        self._measured = scratch / "measured"
        self._terminal = terminal
        self._failed = ""
        self._items: list[pytest.Item] = []
        self._durations: list[float] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notice a failure."""
        if report.failed:
            self._failed = f"{report.nodeid}\n{report.longreprtext}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try the mutants instead of running the tests."""
        if session.testsfailed:
            self.error = "Some tests could not be imported."
            return True
        start = time.monotonic()
        self._items = session.items
        _read_once()
        reached = self._measure()
        if reached is None:
            self.error = f"{TESTS} must pass without a mutant, in its own order and with the fastest tests first."
            return True
        mutants = list(_mutants())
        self._terminal.write(f"{len(self._items)} tests pass; there are {len(mutants)} mutants\n")
        report = _report(self._try_all(mutants, reached))
        REPORT.write_text(report)
        self._terminal.write(f"{report}{(time.monotonic() - start) / 60:.1f} minutes\n")
        return True

    def _measure(self) -> Reached | None:
        """Run all tests and return which of them reach a line. Return nothing if one fails."""
        self._durations = [60.0] * len(self._items)
        every = range(len(self._items))
        if self._in_a_fork(lambda: self._passes(self._trace, every)) != SURVIVED:
            return None
        reached: Reached
        reached, self._durations = pickle.loads(self._measured.read_bytes())  # noqa: S301 - our own file
        used = {test for lines in reached.values() for tests in lines.values() for test in tests}
        fastest_first = sorted(used, key=self._durations.__getitem__)
        return reached if self._in_a_fork(lambda: self._passes(self._run, fastest_first)) == SURVIVED else None

    def _passes(self, run: Callable[[Sequence[int]], bool], tests: Sequence[int]) -> bool:
        """Run tests and print what fails."""
        passed = run(tests)
        if not passed:
            self._terminal.write(f"{self._failed}\n")
        return passed

    def _trace(self, tests: Sequence[int]) -> bool:
        """Run tests, and write to a file which lines each of them reaches and how long it takes."""
        tracer = coverage.Coverage(data_file=None, include=[f"{PACKAGE / part}/*" for part in PARTS])
        durations: list[float] = []

        def switch(test: int) -> None:
            tracer.switch_context(str(test))
            durations.append(time.perf_counter())

        tracer.start()
        passed = self._run(tests, switch)
        tracer.stop()
        ends = [*durations[1:], time.perf_counter()]
        data = tracer.get_data()
        reached = {
            name: {line: {int(it) for it in found if it} for line, found in data.contexts_by_lineno(name).items()}
            for name in data.measured_files()
        }
        spent = [end - start for start, end in zip(durations, ends, strict=True)]
        self._measured.write_bytes(pickle.dumps((reached, spent)))
        return passed

    def _run(self, tests: Sequence[int], begin: Callable[[int], None] = lambda _: None) -> bool:
        """Run tests until one fails, and return whether none did. A test that takes far too long ends the process."""
        for test, following in zip(tests, [*tests[1:], None], strict=True):
            begin(test)
            signal.setitimer(signal.ITIMER_REAL, 10 + 10 * self._durations[test])
            item = self._items[test]
            item.ihook.pytest_runtest_protocol(
                item=item, nextitem=None if following is None else self._items[following]
            )
            if self._failed:
                return False
        return True

    def _in_a_fork(self, task: Callable[[], bool]) -> str:
        """Carry out a task in a process of its own. If it raises, that counts as killed too."""
        process = os.fork()
        if not process:
            status = 1
            try:
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
                status = 0 if task() else 1
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        return {0: SURVIVED, -signal.SIGALRM: TIMED_OUT}.get(status, KILLED)

    def _try_all(self, mutants: list[Mutant], reached: Reached) -> dict[str, str]:
        """Try each mutant and return what came of it, by its name."""
        functions = _functions()
        gc.freeze()  # what a fork does not touch, it need not copy
        verdicts: dict[str, str] = {}
        for mutant in sorted(mutants, key=lambda it: hashlib.sha256(it.name.encode()).digest()):
            lines = reached.get(str(mutant.file), {})
            tests = {test for line in mutant.lines for test in lines.get(line, ())}
            function = functions.get((str(mutant.file), mutant.function))
            if time.monotonic() > self._deadline:
                verdicts[mutant.name] = NOT_TRIED
                continue
            if not tests or function is None:
                verdicts[mutant.name] = NO_TEST
            else:
                fastest_first = sorted(tests, key=self._durations.__getitem__)
                verdicts[mutant.name] = self._in_a_fork(functools.partial(self._try, function, mutant, fastest_first))
            if len(verdicts) % 200 == 0:
                self._terminal.write(f"{len(verdicts)} tried, {Counter(verdicts.values())[SURVIVED]} survived\n")
        return verdicts

    def _try(self, function: FunctionType, mutant: Mutant, tests: Sequence[int]) -> bool:
        """Run tests with a changed function."""
        module = compile(mutant.source, str(mutant.file), "exec", dont_inherit=True)
        function.__code__ = next(it for it in _codes(module) if it.co_qualname == mutant.function)
        arguments = dict(_function_nodes(ast.parse(mutant.source)))[mutant.function].args
        if arguments.defaults:
            function.__defaults__ = tuple(_value(it, function) for it in arguments.defaults)
        if function.__kwdefaults__:
            values = [_value(it, function) for it in arguments.kw_defaults if it]
            function.__kwdefaults__ = dict(zip(function.__kwdefaults__, values, strict=True))
        return self._run(tests)


def _read_once() -> None:
    """Keep what botocore reads of services and endpoints, or each fork would read it again."""
    pytest.MonkeyPatch().setattr(JSONFileLoader, "load_file", functools.cache(JSONFileLoader.load_file))
    boto3.client("dynamodb", region_name="eu-west-1")


def _functions() -> dict[tuple[str, str], FunctionType]:
    """Return the package's functions in memory, also those inside a decorator, by file and qualified name."""
    return {
        (it.__code__.co_filename, it.__code__.co_qualname): it
        for it in gc.get_objects()
        if isinstance(it, FunctionType) and it.__code__.co_filename.startswith(str(PACKAGE))
    }


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Return the code of what a module defines, at any depth."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _value(expression: ast.expr, function: FunctionType) -> object:
    """Return the value of an argument's default."""
    return eval(ast.unparse(expression), function.__globals__)  # noqa: S307 - our own code


def _mutants() -> Iterator[Mutant]:
    """Make the mutants."""
    seen: Counter[str] = Counter()
    for file in sorted(file for part in PARTS for file in (PACKAGE / part).glob("*.py")):
        source = _without_decorators(file.read_text())
        functions = list(_function_nodes(ast.parse(source)))
        module, mutations, *_ = create_mutations(str(file), source)
        for mutation in mutations:
            if not isinstance(mutation.contained_by_top_level_function, libcst.FunctionDef):
                continue
            changed = deep_replace(module, mutation.original_node, mutation.mutated_node).code
            lines, before, after = _difference(source.splitlines(), changed.splitlines())
            function, node = next(it for it in functions if it[1].lineno <= lines[0] <= (it[1].end_lineno or 0))
            name = f"{file.relative_to(PACKAGE)} {function}: {before} → {after}"
            seen[name] += 1
            if seen[name] > 1:  # the same line occurs twice in the function
                name += f" ({seen[name]})"
            yield Mutant(name, file, function, changed, _statement(node, lines))


def _without_decorators(source: str) -> str:
    """Blank out the decorators of functions. mutmut skips what has one, and the function's own code is the same."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                for number in range(decorator.lineno, (decorator.end_lineno or 0) + 1):
                    lines[number - 1] = ""
    return "\n".join([*lines, ""])


def _function_nodes(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Return the functions and methods of a module by qualified name, without those inside other functions."""
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            yield from _function_nodes(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.FunctionDef):
            yield f"{prefix}{child.name}", child


def _difference(before: list[str], after: list[str]) -> tuple[range, str, str]:
    """Return which lines (from 1) were changed, and the text of both versions, each in one line."""
    same = _same(before, after)
    same_end = _same(before[same:][::-1], after[same:][::-1])
    old, new = (" ".join(it.strip() for it in part[same : len(part) - same_end]) for part in (before, after))
    return range(same + 1, max(len(before) - same_end, same + 1) + 1), old or "nothing", new or "nothing"


def _same(before: list[str], after: list[str]) -> int:
    """Return how many lines are the same at the beginning."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))))


def _statement(function: ast.FunctionDef, lines: range) -> range:
    """Return the lines of the smallest statement around these lines. A block counts to where its body begins."""
    statement: ast.stmt = function
    for node in ast.walk(function):  # from the outside to the inside
        if isinstance(node, ast.stmt) and node.lineno <= lines[0] and lines[-1] <= (node.end_lineno or 0):
            statement = node
    body = getattr(statement, "body", None)
    if statement is function or not body:
        return range(statement.lineno, (statement.end_lineno or 0) + 1)
    return range(statement.lineno, max(body[0].lineno, lines[-1]) + 1)


def _report(verdicts: dict[str, str]) -> str:
    """Say how many mutants there were, and list those that no test noticed."""
    counts = Counter(verdicts.values())
    summary = ", ".join(f"{counts[it]} {it}" for it in (KILLED, TIMED_OUT, SURVIVED, NO_TEST, NOT_TRIED))
    listed = [f"{it}: {name}" for it in (SURVIVED, NO_TEST) for name in sorted(verdicts) if verdicts[name] == it]
    return "\n".join([f"{len(verdicts)} mutants: {summary}", *listed, ""])


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()

"""Figures of concurrent test runs."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tools.support import figures

TIMES = 300


def record_many(folder: Path, command: str) -> None:
    figures.KEPT = folder
    for number in range(TIMES):
        figures.record("faults", command, answered=number)


def test_concurrent_runs_keep_each_others_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "KEPT", tmp_path)
    commands = ["make test", "make test-engine"]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        runs = [pool.submit(record_many, tmp_path, command) for command in commands]
        while not all(run.done() for run in runs):
            figures.kept_figures()
        for run in runs:
            run.result()

    kept = figures.kept_figures()["faults"]
    assert list(kept) == commands
    assert [run["figures"] for run in kept.values()] == [{"answered": TIMES - 1}] * 2

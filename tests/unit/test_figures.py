"""Figures of runs that go on side by side, as `.ci/run` has them."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tools.support import figures

TIMES = 300


def record_many(folder: Path, command: str) -> None:
    """Record figures as a run would, over and over."""
    figures.KEPT = folder
    for number in range(TIMES):
        figures.record("faults", command, answered=number)


def test_runs_that_record_at_once_read_and_keep_each_other_s_figures_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    assert [it["figures"] for it in kept.values()] == [{"answered": TIMES - 1}] * 2

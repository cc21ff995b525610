"""The audit of the pinned packages: what is known fails it, what is unknown is said, and nothing passes in silence."""

from pathlib import Path
from typing import Any

import pytest

from requirements import audit
from tests.builders import ROOT

CLEAN: dict[str, Any] = {"name": "clean", "version": "1.0", "vulns": []}
VULNERABLE: dict[str, Any] = {
    "name": "broken",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}, {"id": "PYSEC-2", "fix_versions": []}],
}
UNKNOWN: dict[str, Any] = {"name": "strange", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "good", "said"),
    [
        ([CLEAN, CLEAN], True, ["nothing is known", "2 packages"]),
        ([CLEAN, VULNERABLE], False, ["1 of 2", "broken 2.0: PYSEC-1, mended in 2.1", "PYSEC-2, mended in no version"]),
        ([UNKNOWN, VULNERABLE], False, ["1 of 2", "PYSEC-1"]),
        ([CLEAN, UNKNOWN], False, ["1 of 2 packages could not be looked up: strange"]),
        ([UNKNOWN, UNKNOWN], True, ["NOT AUDITED", "not found"]),
    ],
)
def test_what_is_known_or_partly_unknown_fails_and_a_silent_database_is_told(
    packages: list[dict[str, Any]], said: list[str], *, good: bool
) -> None:
    text, judged = audit.judge(packages)

    assert judged is good
    assert [part for part in said if part not in text] == []


def test_every_pinned_file_is_audited() -> None:
    pinned = {
        str(path.relative_to(ROOT)) for place in ("requirements", "layers") for path in (ROOT / place).rglob("*.txt")
    }

    assert set(audit.FILES) == pinned


def test_a_database_that_does_not_answer_is_told_from_a_file_that_cannot_be_audited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path))

    (package,) = audit.audit(audit.FILES[0])

    assert package["skip_reason"] == "requests.exceptions.ProxyError"
    (tmp_path / "pins.txt").write_text("requests==2.0.0\n")
    with pytest.raises(SystemExit, match="does not contain a hash"):
        audit.audit(str(tmp_path / "pins.txt"))

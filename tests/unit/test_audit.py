"""The audit of the pinned packages: known vulnerabilities fail it, and unknown packages are reported."""

from pathlib import Path
from typing import Any

import pytest

from tools import audit
from tools.support.paths import ROOT

CLEAN: dict[str, Any] = {"name": "clean", "version": "1.0", "vulns": []}
VULNERABLE: dict[str, Any] = {
    "name": "broken",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}, {"id": "PYSEC-2", "fix_versions": []}],
}
UNKNOWN: dict[str, Any] = {"name": "strange", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "good", "expected"),
    [
        ([CLEAN, CLEAN], True, ["no known vulnerabilities", "2 packages"]),
        ([CLEAN, VULNERABLE], False, ["1 of 2", "broken 2.0: PYSEC-1, fixed in 2.1", "PYSEC-2, fixed in no version"]),
        ([UNKNOWN, VULNERABLE], False, ["1 of 2", "PYSEC-1"]),
        ([CLEAN, UNKNOWN], False, ["1 of 2 packages could not be looked up: strange"]),
        ([UNKNOWN, UNKNOWN], True, ["NOT AUDITED", "not found"]),
    ],
)
def test_known_or_partly_unknown_packages_fail(
    packages: list[dict[str, Any]], expected: list[str], *, good: bool
) -> None:
    summary = audit.summarize(packages)

    assert summary[1] is good
    assert [part for part in expected if part not in summary[0]] == []


def test_every_pinned_file_is_audited() -> None:
    pinned = {
        str(path.relative_to(ROOT)) for place in ("requirements", "layers") for path in (ROOT / place).rglob("*.txt")
    }

    assert set(audit.FILES) == pinned


def test_only_the_database_may_be_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path))

    (package,) = audit.audit(audit.FILES[0])

    assert package["skip_reason"] == "requests.exceptions.ProxyError"
    (tmp_path / "pins.txt").write_text("requests==2.0.0\n")
    with pytest.raises(SystemExit, match="does not contain a hash"):
        audit.audit(str(tmp_path / "pins.txt"))

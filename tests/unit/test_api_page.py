"""The API page without a local cloud: it loads nothing, sends only what the reader entered, and is harmless."""

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from local import cloud
from tools import api_page, build_page
from tools.api_page_document import operations

HOSTILE = "</script><script>alert(1)</script>"


def document_in(page: str) -> Any:
    settings = page.partition("} = ")[2].partition(";\nconst patterns")[0]
    return json.loads(settings)["spec"]


def test_page_has_the_document_and_loads_nothing() -> None:
    page = api_page.page()
    document = yaml.safe_load(api_page.DOCUMENT.read_text(encoding="utf-8"))

    assert "default-src 'none'" in page.partition("<style>")[0]
    assert not re.search('<link (?!rel="icon" href="data:,")|<script src', page)
    shown = document_in(page)
    assert {**shown, "paths": {}} == {**document, "paths": {}}
    assert [(method, path, it["operationId"]) for method, path, it in operations(shown)] == [
        (method, path, it["operationId"]) for method, path, it in operations(document)
    ]


def test_page_runs_only_its_own_scripts() -> None:
    policy = api_page.page().partition("<style>")[0]
    assert re.search(r"script-src( 'sha256-[\w+/]+='){2};", policy)
    assert "connect-src http://127.0.0.1:* https://*.amazonaws.com;" in policy


def test_optional_parameters_have_no_example() -> None:
    optional = [
        parameter
        for _, _, operation in operations(document_in(api_page.page()))
        for parameter in operation["parameters"]
        if not parameter.get("required")
    ]
    assert [it["name"] for it in optional if it.keys() & {"example", "examples"}] == []
    described = {it["name"]: it["description"] for it in optional}
    assert described["Idempotency-Key"].endswith("Example: `5b7e0f2c-3a0e-4c7e-9d55-0d6f9c1f2a77`")
    assert described["If-Match"].endswith('Example: `*`, `"1763728496792-b4c025e5a8f9ec55"`')


def test_file_is_readable_by_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "docs" / "index.html"
    monkeypatch.setattr(build_page, "ROOT", tmp_path)
    monkeypatch.setattr(build_page, "PAGE", file)
    monkeypatch.setattr(cloud, "current", lambda: None)
    for _ in range(2):  # the second file replaces the first
        build_page.main()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.chmod(0o644)
    assert capsys.readouterr().out == "docs/index.html\n" * 2


def test_cloud_without_answers_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def unanswered(*_: object) -> str:
        raise requests.ConnectionError("no answer")

    monkeypatch.setattr(cloud, "current", lambda: None)
    monkeypatch.setattr(build_page, "page", unanswered)
    with pytest.raises(SystemExit, match="The page cannot be filled in: no answer"):
        build_page.main()


def test_text_of_the_document_is_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = yaml.safe_load(api_page.DOCUMENT.read_text(encoding="utf-8"))
    document["info"]["title"] = document["info"]["description"] = HOSTILE
    (tmp_path / "openapi.yaml").write_text(yaml.safe_dump(document))
    monkeypatch.setattr(api_page, "DOCUMENT", tmp_path / "openapi.yaml")

    page = api_page.page()

    assert HOSTILE not in page
    assert document_in(page)["info"]["title"] == HOSTILE

"""Text for people: what is escaped, what stays, and the streams through which all of it passes."""

import ast
import io
import json
import re
import sys
from pathlib import Path

import pytest
from rich.text import Text

from cartctl.output import Output
from cartctl.terminal import Screen, guard, json_escaped, visible
from tests.unit.test_architecture import CARTCTL, imports
from tools.support.paths import ROOT

ESCAPED = [
    *(chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))),
    *"\xad\u034f\u061c\u115f\u180e\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2066\u2069\u3164\ufeff\ufff9\uffff",
    *"\ud800\ufff0\udfff\U000e0000\U000e0041\U000e007f\U0001d173\U0001fffe",
]


@pytest.mark.parametrize("character", ESCAPED, ids=ascii)
def test_harmful_character_is_escaped_anywhere(character: str) -> None:
    for text in (character, f"a{character}b", f"\u0645{character}\u062e", f"\U0001f469{character}\U0001f4bb"):
        shown = visible(text)
        assert character not in shown
        assert shown == text.replace(character, character.encode("unicode_escape").decode())


@pytest.mark.parametrize(
    "text",
    [
        *("Zoë", "Zoe\u0308", "سلام", "שלום", "日本語", "क्ष", "ไทย", "100 % [red]x[/] :smile: \\x1b", "a\xa0b"),
        *("می\u200cشود", "क्\u200dष", "র\u200d্য", "葛\U000e0100", "㊗\ufe0f", "‼\ufe0f", "1\ufe0f\u20e3"),
        *("👩\u200d💻", "👩🏽\u200d🚀", "❤\ufe0f\u200d🔥", "🏳\ufe0f\u200d🌈", "🙂\u200d↔\ufe0f", "🇪🇺", "\U0001fae8"),
    ],
)
def test_text_of_any_language_stays_readable(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("adm\u200cin", r"adm\u200cin"),
        ("نام\u200c", "نام\\u200c"),
        ("a\ufe0f", r"a\ufe0f"),
        ("👩\ufe0f\ufe0e\ufe0e", "👩\ufe0f\\ufe0e\\ufe0e"),
        ("👩\u200dx", r"👩\u200dx"),
        ("\u200d", r"\u200d"),
    ],
)
def test_joiner_is_escaped_where_it_only_hides(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "é€😀"),
        ("latin-1", r"é\u20ac\U0001f600"),
        ("cp1252", r"é€\U0001f600"),
        ("ascii", r"\xe9\u20ac\U0001f600"),
    ],
)
def test_character_outside_the_encoding_is_escaped(encoding: str, shown: str) -> None:
    assert visible("é€😀", encoding) == shown


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "latin-1", "cp437", "ascii"])
def test_json_is_exact_and_harmless(encoding: str) -> None:
    value = {"é": ["".join(ESCAPED), '"\\', "می\u200cشود 😀\U000e0041"]}

    document = json_escaped(json.dumps(value, ensure_ascii=False, indent=1), encoding)

    assert json.loads(document.encode(encoding)) == value
    assert all(character == "\n" or character.isprintable() for character in document)


def streams(monkeypatch: pytest.MonkeyPatch, encoding: str) -> tuple[io.BytesIO, io.BytesIO]:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding=encoding))
    raw = sys.stdout.buffer, sys.stderr.buffer
    guard()
    return raw  # type: ignore[return-value]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_guarded_stream_takes_any_text(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    out, err = streams(monkeypatch, encoding)
    print("\x1b[2J\ud800\n\u202eé")  # noqa: T201 - as a library does
    sys.stderr.write("\x9b2J")

    assert out.getvalue().decode(encoding) == "\\x1b[2J\\ud800\n\\u202e" + visible("é", encoding) + "\n"
    assert err.getvalue() == rb"\x9b2J"
    assert sys.stdin.readline() == "\\xff\n"


def test_closed_streams_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    guard()

    print("nowhere", file=sys.stdout)  # noqa: T201 - it must not fail
    assert sys.stdin.read() == ""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()


def test_screen_escapes_all_renderables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    out, _ = streams(monkeypatch, "utf-8")
    screen = Screen()
    screen.print("a\n[b]\x1b", ":smile:")
    screen.print(Text("c\x1b[0m", style="bold"))
    screen.print_line(("d", "red"), "\n\u2028")

    assert out.getvalue().decode().splitlines() == [
        "a\\n[b]\\x1b :smile:",
        "\x1b[1mc\\x1b[0m\x1b[0m",
        "\x1b[31md\x1b[0m\\n\\u2028",
    ]


@pytest.mark.parametrize(("width", "long"), [(40, 20), (60, 34), (500, 400)])
def test_row_is_one_line_and_ids_stay_whole(monkeypatch: pytest.MonkeyPatch, width: int, long: int) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    out, err = streams(monkeypatch, "utf-8")

    rows = [("i" * 24, "n" * 400), ("j", "\n" * 100)]
    Output(as_json=False).rows([], ("Id", "Notes"), rows, nothing="", long={"Notes"})

    header, first, second = out.getvalue().decode().splitlines()
    shortened = long < 400
    assert first == f"{'i' * 24}  " + ("n" * (long - 1) + "…" if shortened else "n" * 400)
    assert second.startswith(f"j{' ' * 25}\\n\\n")
    assert bool(err.getvalue()) is shortened
    assert "Notes" in header


ADVICE = re.compile(
    r"(?:^|[:.?;,] (?:or |and )?)(?:add|change|check|choose|export|fix|get|leave|list|name|open|pass|remove|run|save|"
    r"shorten|split|unpack|use|write)\b|\{(?:advice|_EXPORT|_UNPACK)\}",
    re.IGNORECASE,
)


@pytest.mark.parametrize("file", CARTCTL, ids=lambda file: str(file.relative_to(ROOT)))
def test_refusals_say_what_to_do(file: Path) -> None:
    """Each message is a constant of the code and has an imperative, except for those that `explain` returns."""
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    refusals = [call.args[0] for call in calls if ast.unparse(call.func) in {"CartctlError", "NotFoundError"}]
    messages = {ast.unparse(message) for message in refusals} - {"'Cancelled; nothing was changed.'"}

    for message in messages:
        text = message.removeprefix("f").strip("'\"")
        assert message.startswith("explain(") or ADVICE.search(text), message


DIRECT = re.compile(r"\b(?:print|input)\(|typer\.(?:echo|secho|confirm|prompt)|getpass\.getpass|sys\.stderr|sys\.__")


@pytest.mark.parametrize("file", CARTCTL, ids=lambda file: str(file.relative_to(ROOT)))
def test_commands_print_only_through_output(file: Path) -> None:
    """Other modules use an `Output`, whose `Screen` takes texts from anywhere."""
    if file.stem != "terminal":
        assert DIRECT.findall(file.read_text()) == []
        assert {module for module in imports(file) if module.startswith("rich")} <= {"rich.progress", "rich.cells"}

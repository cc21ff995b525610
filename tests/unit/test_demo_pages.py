"""The demo shop's files: pictures for all products, and texts for all errors and warnings of the contract."""

import csv
import re
import xml.etree.ElementTree as ET

from tools.support.paths import ROOT

DEMO = ROOT / "demo"
PICTURES = sorted((DEMO / "pictures").glob("*.svg"))
TEXTS = (DEMO / "texts.js").read_text()
CONTRACT = (ROOT / "docs" / "contract.md").read_text()
SHOP_API = CONTRACT[CONTRACT.index("## Shop API") : CONTRACT.index("## Management API")]
PICTURE_BYTES = 1_500
DRAWING = {"svg", "g", "path", "circle", "ellipse", "text"}


def texts(group: str) -> set[str]:
    """Return the names of the texts in a group of texts.js."""
    block = re.search(rf"^  {group}: {{\n(.*?)^  }},$", TEXTS, re.MULTILINE | re.DOTALL)
    assert block
    return set(re.findall(r'^    "?([\w ]+?)"?:', block[1], re.MULTILINE))


def test_each_product_has_a_picture() -> None:
    with (ROOT / "local" / "demo" / "catalogue.csv").open() as file:
        images = {row["image"] for row in csv.DictReader(file)}

    assert images == {f"pictures/{picture.name}" for picture in PICTURES}


def test_pictures_are_small_and_only_drawn() -> None:
    for picture in PICTURES:
        assert picture.stat().st_size < PICTURE_BYTES, picture.name
        elements = ET.fromstring(picture.read_text()).iter()  # noqa: S314 - our own files
        assert {element.tag.rpartition("}")[2] for element in elements} <= DRAWING, picture.name


def test_each_error_of_the_contract_has_a_text() -> None:
    errors = set(re.findall(r'{"error": "([^"]+)"', SHOP_API)) | {"too many requests", "internal server error"}

    assert errors - texts("errors") == set()


def test_each_warning_of_the_contract_has_a_text() -> None:
    table = SHOP_API[SHOP_API.index("### Warnings") :]
    warnings = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))

    assert "price_changed" in warnings
    assert warnings - texts("warnings") == set()


def test_pages_have_neither_words_nor_scripts() -> None:
    pages = sorted(DEMO.glob("*.html"))

    assert len(pages) == 3
    for page in pages:
        content = re.sub(r"<!doctype html>", "", page.read_text())
        assert re.findall(r">[^<]*\w[^<]*<", content) == [], page.name
        assert re.findall(r'\s(?:style|on\w+|aria-label|placeholder|title|alt)="[^"]+"', content) == [], page.name

"""The limits: the contract's by default, and settings within bounds that template.yaml and the code agree about."""

import os
import runpy
from typing import Any

import pytest

from storefront.domain import limits
from tests.template import TEMPLATE

DAY = 24 * 3600
SETTINGS = {
    "CartItems": ("CART_ITEMS", "CART_ITEMS", 1),
    "ItemQuantity": ("ITEM_QUANTITY", "ITEM_QUANTITY", 1),
    "CartLifetimeDays": ("CART_LIFETIME_DAYS", "CART_LIFETIME", DAY),
    "SessionItemLifetimeHours": ("SESSION_ITEM_LIFETIME_HOURS", "SESSION_ITEM_LIFETIME", 3600),
    "PriceAgeSeconds": ("PRICE_AGE_SECONDS", "PRICE_AGE", 1),
}
"""By the template's parameter: the variable of the environment, the limit that it sets, and the limit's unit."""
every_setting = pytest.mark.parametrize("parameter", SETTINGS)
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, _, _ in SETTINGS.values():
        monkeypatch.delenv(variable, raising=False)


def loaded() -> dict[str, Any]:
    """Return the limits as a function has them that starts in this environment."""
    return runpy.run_path(limits.__file__)


def loaded_with(parameter: str, value: object, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the limit that a setting sets, in the setting's own unit."""
    variable, limit, unit = SETTINGS[parameter]
    monkeypatch.setenv(variable, str(value))
    found: int = loaded()[limit]
    assert found % unit == 0
    return found // unit


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CART_ITEMS", 100),
        ("ITEM_QUANTITY", 9_999),
        ("NOTES_LENGTH", 500),
        ("CART_LIFETIME", 30 * DAY),
        ("PRICE_AGE", 60),
        ("REMEMBERED_KEYS", 32),
        ("REMEMBERED_KEY_LIFETIME", DAY),
        ("IDEMPOTENCY_KEY_LENGTH", 255),
        ("LARGEST_INTEGER", 2**53 - 1),
        ("SESSION_ID_LENGTH", 32),
        ("SESSION_ITEM_LIFETIME", DAY),
        ("SESSION_ITEM_AMOUNT", 10**6),
        ("SESSION_ITEM_PRICE", 10**12),
        ("SESSION_ITEM_PRICE_DECIMALS", 6),
        ("SESSION_ITEM_NAME_LENGTH", 256),
        ("SESSION_ITEM_TITLE_LENGTH", 1_024),
    ],
)
def test_without_settings_the_limits_are_the_contract_s(name: str, value: int) -> None:
    assert loaded()[name] == value


@every_setting
def test_an_empty_setting_is_the_template_s_default(parameter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    default = PARAMETERS[parameter]["Default"]

    assert loaded_with(parameter, "", monkeypatch) == default
    assert loaded_with(parameter, default, monkeypatch) == default


@every_setting
def test_the_template_s_bounds_are_the_code_s(parameter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lowest, highest = PARAMETERS[parameter]["MinValue"], PARAMETERS[parameter]["MaxValue"]

    for value in (lowest, highest):
        assert loaded_with(parameter, value, monkeypatch) == value
    for value in (lowest - 1, highest + 1, -highest):
        with pytest.raises(ValueError, match=rf"{SETTINGS[parameter][0]} must be from {lowest} to {highest}, not"):
            loaded_with(parameter, value, monkeypatch)


@every_setting
@pytest.mark.parametrize("value", ["x", "1.5", "1e3", "0x10", "None"])
def test_a_setting_that_is_no_integer_lets_no_function_start(
    parameter: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        loaded_with(parameter, value, monkeypatch)


@every_setting
def test_every_setting_is_handed_to_the_functions_alone(parameter: str) -> None:
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]

    assert variables[SETTINGS[parameter][0]] == {"Ref": parameter}
    assert PARAMETERS[parameter]["Type"] == "Number"
    assert PARAMETERS[parameter]["Description"]


def test_every_setting_of_the_code_is_a_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Environment(dict[str, str]):
        def get(self, name: str, default: Any = None) -> Any:
            asked.append(name)
            return default

    monkeypatch.setattr(os, "environ", Environment())
    loaded()

    assert sorted(asked) == sorted(variable for variable, _, _ in SETTINGS.values())


def test_no_limit_is_so_wide_that_a_price_would_be_shown_past_a_minute() -> None:
    """The contract's word is 60 seconds: a deployment may only choose less, and still has time to read and answer."""
    assert PARAMETERS["PriceAgeSeconds"]["MaxValue"] == 60
    assert PARAMETERS["PriceAgeSeconds"]["MinValue"] > limits.PRICE_MARGIN


def test_the_dearest_cart_is_exact_in_a_browser_however_its_limits_are_set() -> None:
    items, quantity = PARAMETERS["CartItems"]["MaxValue"], PARAMETERS["ItemQuantity"]["MaxValue"]

    assert items * quantity * limits.PRODUCT_PRICE < 2**53

"""The limits: the contract's by default, and settings whose bounds template.yaml and the code agree about."""

from dataclasses import fields
from typing import Any

import pytest
from pydantic import ValidationError

from serverless_cart.domain import limits
from serverless_cart.domain.limits import CONTRACT_LIMITS, Limits
from serverless_cart.environment import Environment
from tools.support.template import TEMPLATE

DAY = 24 * 3600
SETTINGS = {
    "CartItems": ("CART_ITEMS", "cart_items", 1),
    "ItemQuantity": ("ITEM_QUANTITY", "item_quantity", 1),
    "CartLifetimeDays": ("CART_LIFETIME_DAYS", "cart_lifetime", DAY),
    "SessionItemLifetimeHours": ("SESSION_ITEM_LIFETIME_HOURS", "session_item_lifetime", 3600),
    "PriceAgeSeconds": ("PRICE_AGE_SECONDS", "price_age", 1),
}
"""By the template's parameter: the environment variable, the limit that it sets, and the limit's unit."""
every_setting = pytest.mark.parametrize("parameter", SETTINGS)
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]


def load(parameter: str, value: object) -> int:
    """Return the limit that a setting sets, in the setting's unit."""
    variable, limit, unit = SETTINGS[parameter]
    environment = Environment.load({"TABLE_NAME": "table", variable: str(value)})
    seconds: int = getattr(environment.limits, limit)
    assert seconds % unit == 0
    return seconds // unit


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOTES_LENGTH", 500),
        ("IDEMPOTENCY_RECORDS", 32),
        ("IDEMPOTENCY_RECORD_LIFETIME", DAY),
        ("IDEMPOTENCY_KEY_LENGTH", 255),
        ("MAX_SAFE_INTEGER", 2**53 - 1),
        ("SESSION_ID_LENGTH", 32),
        ("SESSION_ITEM_AMOUNT", 10**6),
        ("SESSION_ITEM_PRICE", 10**12),
        ("SESSION_ITEM_PRICE_DECIMALS", 6),
        ("SESSION_ITEM_NAME_LENGTH", 256),
        ("SESSION_ITEM_TITLE_LENGTH", 1_024),
    ],
)
def test_fixed_limits_are_the_contracts(name: str, value: int) -> None:
    assert getattr(limits, name) == value


def test_default_limits_are_the_contracts() -> None:
    assert Limits(100, 9_999, 30 * DAY, 60, DAY) == CONTRACT_LIMITS
    assert Environment.load({"TABLE_NAME": "table"}).limits == CONTRACT_LIMITS


@every_setting
def test_empty_setting_is_the_templates_default(parameter: str) -> None:
    default = PARAMETERS[parameter]["Default"]

    assert load(parameter, "") == load(parameter, default) == default


@every_setting
def test_template_and_code_have_the_same_bounds(parameter: str) -> None:
    lowest, highest = PARAMETERS[parameter]["MinValue"], PARAMETERS[parameter]["MaxValue"]

    assert [load(parameter, value) for value in (lowest, highest)] == [lowest, highest]
    for value in (lowest - 1, highest + 1, -highest, "x", "1.5", "1e3", "0x10", "None"):
        with pytest.raises(ValidationError, match=SETTINGS[parameter][0]):
            load(parameter, value)


@every_setting
def test_every_setting_is_an_environment_variable(parameter: str) -> None:
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]

    assert variables[SETTINGS[parameter][0]] == {"Ref": parameter}
    assert PARAMETERS[parameter]["Type"] == "Number"
    assert PARAMETERS[parameter]["Description"]


def test_every_limit_has_a_setting() -> None:
    assert {field.name for field in fields(Limits)} == {limit for _, limit, _ in SETTINGS.values()}


def test_every_variable_is_in_the_template() -> None:
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]

    assert {name.upper() for name in Environment.model_fields} <= set(variables)


def test_prices_are_never_older_than_a_minute() -> None:
    """A deployment may only choose less than the contract's 60 seconds, and still has time to read and answer."""
    assert PARAMETERS["PriceAgeSeconds"]["MaxValue"] == 60
    assert PARAMETERS["PriceAgeSeconds"]["MinValue"] > limits.PRICE_MARGIN


def test_largest_total_is_exact_in_a_browser() -> None:
    items, quantity = PARAMETERS["CartItems"]["MaxValue"], PARAMETERS["ItemQuantity"]["MaxValue"]

    assert items * quantity * limits.PRODUCT_PRICE < 2**53

"""The limits: the contract's values, and the settings of a deployment with the bounds of template.yaml."""

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
    "HoldMinutes": ("HOLD_MINUTES", "hold_lifetime", 60),
    "OpenHolds": ("OPEN_HOLDS", "open_holds", 1),
    "PriceAgeSeconds": ("PRICE_AGE_SECONDS", "price_age", 1),
}
"""By the template's parameter: the environment variable, the limit that it sets, and the limit's unit."""
every_setting = pytest.mark.parametrize("parameter", SETTINGS)
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
VARIABLES: dict[str, Any] = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"] | {
    name: value
    for resource in TEMPLATE["Resources"].values()
    for name, value in resource.get("Properties", {}).get("Environment", {}).get("Variables", {}).items()
}


def loaded(**variables: str) -> Environment:
    return Environment.load({"TABLE_NAME": "carts", "PATH": "/usr/bin", **variables})


def limit(parameter: str, value: object) -> int:
    """Return the limit that a setting sets, in the setting's unit."""
    variable, name, unit = SETTINGS[parameter]
    seconds: int = getattr(loaded(**{variable: str(value)}).limits, name)
    assert seconds % unit == 0
    return seconds // unit


FIXED = {
    "NOTES_LENGTH": 500, "IDEMPOTENCY_RECORDS": 32, "IDEMPOTENCY_RECORD_LIFETIME": DAY, "IDEMPOTENCY_KEY_LENGTH": 255,
    "MAX_SAFE_INTEGER": 2**53 - 1, "SESSION_ID_LENGTH": 32, "SESSION_ITEM_AMOUNT": 10**6, "SESSION_ITEM_PRICE": 10**12,
    "SESSION_ITEM_PRICE_DECIMALS": 6, "SESSION_ITEM_NAME_LENGTH": 256, "SESSION_ITEM_TITLE_LENGTH": 1_024,
}  # fmt: skip


def test_fixed_limits_are_the_contracts() -> None:
    assert {name: getattr(limits, name) for name in FIXED} == FIXED


def test_defaults_are_the_contracts() -> None:
    assert Limits(100, 9_999, 30 * DAY, 60, DAY, 30 * 60, 10) == CONTRACT_LIMITS == loaded().limits
    assert (loaded().table_name, loaded().database_timeout_seconds) == ("carts", 1.0)


@every_setting
def test_empty_setting_is_the_templates_default(parameter: str) -> None:
    default = PARAMETERS[parameter]["Default"]

    assert limit(parameter, "") == limit(parameter, default) == default


@every_setting
def test_bounds_are_the_templates(parameter: str) -> None:
    lowest, highest = PARAMETERS[parameter]["MinValue"], PARAMETERS[parameter]["MaxValue"]

    assert [limit(parameter, value) for value in (lowest, highest)] == [lowest, highest]
    for value in (lowest - 1, highest + 1, -highest, "x", "1.5", "1e3", "0x10", "None", " "):
        with pytest.raises(ValidationError, match=SETTINGS[parameter][0]):
            limit(parameter, value)


def test_every_limit_has_a_setting_and_a_variable() -> None:
    assert {field.name for field in fields(Limits)} == {name for _, name, _ in SETTINGS.values()}
    assert {name.upper() for name in Environment.model_fields} <= set(VARIABLES)
    assert {parameter: VARIABLES[SETTINGS[parameter][0]] for parameter in SETTINGS} == {
        parameter: {"Ref": parameter} for parameter in SETTINGS
    }


def test_prices_are_never_older_than_a_minute() -> None:
    """A deployment may only set less than the contract's 60 seconds, and has time to read and answer."""
    assert PARAMETERS["PriceAgeSeconds"]["MaxValue"] == 60
    assert PARAMETERS["PriceAgeSeconds"]["MinValue"] > limits.PRICE_MARGIN


def test_largest_total_is_exact_in_a_browser() -> None:
    items, quantity = PARAMETERS["CartItems"]["MaxValue"], PARAMETERS["ItemQuantity"]["MaxValue"]

    assert items * quantity * limits.PRODUCT_PRICE + limits.SHIPPING_COST < 2**53


# ----------------------------------------------------------------------------------------------------------------------
# Other variables
# ----------------------------------------------------------------------------------------------------------------------


def test_timeout_is_read() -> None:
    assert loaded(DATABASE_TIMEOUT_SECONDS="0.5").database_timeout_seconds == 0.5
    assert loaded(DATABASE_TIMEOUT_SECONDS="") == loaded()


@pytest.mark.parametrize("value", ["0", "-1", "x", " "])
def test_timeout_not_above_zero_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="DATABASE_TIMEOUT_SECONDS"):
        loaded(DATABASE_TIMEOUT_SECONDS=value)


@pytest.mark.parametrize("variables", [{}, {"TABLE_NAME": ""}], ids=repr)
def test_missing_table_name_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="TABLE_NAME"):
        Environment.load(variables)


def test_environment_is_read_from_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, _, _ in SETTINGS.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TABLE_NAME", "carts")
    monkeypatch.setenv("CART_ITEMS", "9")

    assert (Environment.load().table_name, Environment.load().limits.cart_items) == ("carts", 9)


def test_errors_show_no_other_variable() -> None:
    with pytest.raises(ValidationError) as error:
        Environment.load({"AWS_SECRET_ACCESS_KEY": "the-secret", "CART_ITEMS": "the-value"})

    assert "TABLE_NAME" in str(error.value)
    assert "the-" not in str(error.value)

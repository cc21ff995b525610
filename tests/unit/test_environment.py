"""The environment variables of the functions: defaults, bounds, and what lets no function start."""

import pytest
from pydantic import ValidationError

from serverless_cart.domain.limits import CONTRACT_LIMITS, Limits
from serverless_cart.environment import Environment

BOUNDS = {
    "CART_ITEMS": (1, 100),
    "ITEM_QUANTITY": (1, 9_999),
    "CART_LIFETIME_DAYS": (1, 365),
    "PRICE_AGE_SECONDS": (10, 60),
    "SESSION_ITEM_LIFETIME_HOURS": (1, 168),
}


def loaded(**variables: str) -> Environment:
    """Load an environment with a table and these variables."""
    return Environment.load({"TABLE_NAME": "carts", "PATH": "/usr/bin", **variables})


def test_defaults_are_the_contract_s_limits() -> None:
    environment = loaded()

    assert environment.limits == CONTRACT_LIMITS
    assert (environment.table_name, environment.database_timeout_seconds) == ("carts", 1.0)


def test_empty_values_count_as_absent() -> None:
    assert loaded(**dict.fromkeys(BOUNDS, ""), DATABASE_TIMEOUT_SECONDS="") == loaded()


def test_every_variable_sets_its_limit() -> None:
    environment = loaded(
        CART_ITEMS="5",
        ITEM_QUANTITY="50",
        CART_LIFETIME_DAYS="7",
        PRICE_AGE_SECONDS="30",
        SESSION_ITEM_LIFETIME_HOURS="2",
        DATABASE_TIMEOUT_SECONDS="0.5",
    )

    assert environment.limits == Limits(
        cart_items=5, item_quantity=50, cart_lifetime=7 * 86_400, price_age=30, session_item_lifetime=7_200
    )
    assert environment.database_timeout_seconds == 0.5


@pytest.mark.parametrize("name", BOUNDS)
def test_value_at_its_bounds_is_accepted(name: str) -> None:
    for value in BOUNDS[name]:
        assert getattr(loaded(**{name: str(value)}), name.lower()) == value


@pytest.mark.parametrize("name", BOUNDS)
def test_value_outside_its_bounds_is_refused(name: str) -> None:
    lowest, highest = BOUNDS[name]
    for value in (lowest - 1, highest + 1, -highest):
        with pytest.raises(ValidationError, match=name):
            loaded(**{name: str(value)})


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("value", ["x", "1.5", "1e3", "0x10", "None", " "])
def test_value_not_an_integer_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        loaded(**{name: value})


@pytest.mark.parametrize("value", ["0", "-1", "x", " "])
def test_timeout_not_above_zero_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="DATABASE_TIMEOUT_SECONDS"):
        loaded(DATABASE_TIMEOUT_SECONDS=value)


@pytest.mark.parametrize("variables", [{}, {"TABLE_NAME": ""}], ids=repr)
def test_missing_table_name_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="TABLE_NAME"):
        Environment.load(variables)


def test_environment_is_read_from_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in BOUNDS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TABLE_NAME", "carts")
    monkeypatch.setenv("CART_ITEMS", "9")

    assert (Environment.load().table_name, Environment.load().limits.cart_items) == ("carts", 9)


def test_errors_show_no_other_variable() -> None:
    with pytest.raises(ValidationError) as error:
        Environment.load({"AWS_SECRET_ACCESS_KEY": "the-secret", "CART_ITEMS": "the-value"})

    assert "TABLE_NAME" in str(error.value)
    assert "the-" not in str(error.value)

"""Arguments and options that several commands share, and their parsers."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

import typer

from cartctl.errors import CartctlError, ExitCode
from serverless_cart.domain import validation as rules

Value = TypeVar("Value")

_DURATION: Final = re.compile(r"(\d{1,6})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 24 * 3_600}


def checked(rule: Callable[[str], Value]) -> Callable[[str], Value]:
    """Return a parser that applies a rule of the domain and reports its message."""

    def parse(text: str) -> Value:
        try:
            return rule(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    parse.__name__ = rule.__name__.replace("_", " ")
    return parse


def duration(text: str) -> int:
    """Parse a duration and return its seconds; 0 means no end.

    >>> duration("90d"), duration("never")
    (7776000, 0)
    """
    if text == "never":
        return 0
    match = _DURATION.fullmatch(text)
    if not match or not int(match[1]):
        raise typer.BadParameter(f"{text!r} is not a duration: write 90d, 12h, 30m, 45s or never")
    return int(match[1]) * _SECONDS[match[2]]


def minor_units(text: str) -> int:
    """Parse an amount in minor currency units.

    >>> minor_units("1250")
    1250
    """
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise typer.BadParameter(f"{text!r} is not an amount in minor units: 1250 means 12.50")
    return int(text)


def parse_moment(text: str) -> int:
    """Parse a moment of ISO 8601, in UTC by default, and return its milliseconds since 1970. Raises `ValueError`.

    >>> parse_moment("2026-06-01"), parse_moment("2026-06-01T02:00:00+02:00")
    (1780272000000, 1780272000000)
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a moment: write 2026-06-01 or 2026-06-01T08:00:00+02:00") from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def check_settings(*settings: frozenset[str]) -> None:
    """Check the number and size of a shop's settings. Raises `CartctlError`."""
    try:
        rules.check_settings(*settings)
    except ValueError as error:
        raise CartctlError(f"{error}: remove some.", ExitCode.USAGE) from None


ShopName = Annotated[
    str,
    typer.Argument(metavar="SHOP", parser=checked(rules.parse_shop_name), help="Name of the shop.", show_default=False),
]
Customer = Annotated[
    str,
    typer.Argument(
        metavar="CUSTOMER",
        parser=checked(rules.parse_customer),
        help="The customer's id in the shop.",
        show_default=False,
    ),
]
OptionalCustomer = Annotated[
    str | None,
    typer.Argument(
        metavar="CUSTOMER",
        parser=checked(rules.parse_customer),
        help="The customer's id in the shop.",
        show_default=False,
    ),
]
Label = Annotated[
    str, typer.Option(parser=checked(rules.parse_label), help='Note to recognise it by, such as "search page".')
]
ExpiresIn = Annotated[
    int, typer.Option(parser=duration, metavar="DURATION", help="Lifetime: 90d, 12h, 30m, 45s or never.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]

"""Arguments and options that several commands take, and how their texts are read."""

import re
from collections.abc import Callable
from typing import Annotated, Final

import typer

from cartctl.errors import CartctlError, ExitCode
from serverless_cart.domain import validation as rules

_DURATION: Final = re.compile(r"(\d{1,6})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 24 * 3_600}


def checked(rule: Callable[[str], str]) -> Callable[[str], str]:
    """Return a reader of texts by a rule of the domain, whose words tell of a bad one."""

    def read(text: str) -> str:
        try:
            return rule(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    read.__name__ = rule.__name__.replace("_", " ")
    return read


def duration(text: str) -> int:
    """Read a duration and return its seconds; 0 for ``never``.

    >>> duration("90d"), duration("never")
    (7776000, 0)
    """
    if text == "never":
        return 0
    match = _DURATION.fullmatch(text)
    if not match or not int(match[1]):
        raise typer.BadParameter("write it as 90d, 12h, 30m or 45s, or never")
    return int(match[1]) * _SECONDS[match[2]]


def settings_fit(*settings: frozenset[str]) -> None:
    """Check that a shop's settings are not too many. Raises `CartctlError`."""
    try:
        rules.check_settings(*settings)
    except ValueError as error:
        raise CartctlError(f"{error}.", ExitCode.USAGE) from None


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
Label = Annotated[str, typer.Option(parser=checked(rules.parse_label), help="What it is for, to recognise it by.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

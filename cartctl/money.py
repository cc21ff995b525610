"""Currencies: the codes of ISO 4217, their minor units, and amounts as people write them."""

import difflib
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from iso4217 import Currency

LONGEST: Final = 40
"""Characters of a wrong code that are shown and compared."""
SUGGESTIONS: Final = 3


def currency_digits(code: str) -> int:
    """Return the decimal digits of a currency: 2 for EUR, whose minor unit is a hundredth.

    >>> [currency_digits(code) for code in ("EUR", "JPY", "KWD")]
    [2, 0, 3]

    Raises `ValueError` for a code that is not an active one of ISO 4217 with a minor unit, in upper case.
    """
    if code not in _digits():
        raise _unknown(code)
    return _digits()[code]


def parse_currency(text: str) -> str:
    """Return a currency's code in upper case; empty for no currency. Raises `ValueError`.

    >>> parse_currency(" eur")
    'EUR'
    """
    code = text.strip().upper()
    if code and not (text.isascii() and code in _digits()):
        raise _unknown(text)
    return code


def amount_text(amount: int, currency: str) -> str:
    """Format an amount in minor units for people, with its decimal form if that differs.

    >>> amount_text(1290, "EUR"), amount_text(1290, "JPY"), amount_text(1290, "a former label")
    ('1290 (12.90)', '1290', '1290')
    """
    shown = decimal(amount, currency)
    return str(amount) if not amount or shown in {None, str(amount)} else f"{amount} ({shown})"


def decimal(amount: int, currency: str) -> str | None:
    """Return an amount in minor units as a decimal number; ``None`` if ISO 4217 does not have the currency.

    >>> decimal(5, "KWD")
    '0.005'
    """
    digits = _digits().get(currency)
    return None if digits is None else format(Decimal(amount).scaleb(-digits), "f")


@cache
def _digits() -> dict[str, int]:
    # ISO gives no minor unit to metals, test codes and units of account, in which no shop has prices.
    return {currency.code: currency.exponent for currency in _table() if currency.exponent is not None}


def _table() -> "type[Currency]":
    import iso4217  # noqa: PLC0415 - reads a table of 50 KB

    return iso4217.Currency


def _unknown(text: str) -> ValueError:
    return ValueError(f"{text[:LONGEST]!r} is not an ISO 4217 currency: {_advice(text)}")


def _advice(text: str) -> str:
    """Suggest the currencies with this name, in most countries first, or else the codes that are near to it."""
    wanted = text.strip().casefold()
    known = {currency.code: currency for currency in _table() if currency.code in _digits()}
    names = {code: currency.currency_name.casefold() for code, currency in known.items()}
    named = [code for code, name in names.items() if wanted in {name, *name.split()}]
    named.sort(key=lambda code: (names[code] != wanted, -len(known[code].country_names)))
    near = named[:SUGGESTIONS] or difflib.get_close_matches(wanted.upper()[:LONGEST], known, SUGGESTIONS)
    return f"did you mean {' or '.join(near)}?" if near else "write its three letters, as in EUR"

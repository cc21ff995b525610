"""Currencies of ISO 4217: codes, minor units, and amounts for people."""

import pytest

from cartctl.money import amount_text, currency_digits, parse_currency

DIGITS = {
    "EUR": 2,
    "JPY": 0,
    "KWD": 3,
    "CLF": 4,
    "UYW": 4,
    # ISO's digits, where CLDR has the digits that people use instead.
    "HUF": 2,
    "IQD": 3,
    "AFN": 2,
    "ISK": 0,
    "MGA": 2,
}


@pytest.mark.parametrize(("code", "digits"), DIGITS.items())
def test_digits_of_a_currency_are_those_of_iso(code: str, digits: int) -> None:
    assert currency_digits(code) == digits


@pytest.mark.parametrize("code", ["", "eur", "EURO", "DEM", "HRK", "XXX", "XTS", "XAU", "XDR", "\x1b[2J"])
def test_digits_of_another_text_are_refused(code: str) -> None:
    with pytest.raises(ValueError, match="is not an ISO 4217 currency: "):
        currency_digits(code)


@pytest.mark.parametrize(("text", "code"), [("EUR", "EUR"), ("eur", "EUR"), (" Jpy ", "JPY"), ("", ""), (" ", "")])
def test_currency_is_read_in_any_case(text: str, code: str) -> None:
    assert parse_currency(text) == code


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        *(("euro", "did you mean EUR or CHE?"), ("dollar", "did you mean USD or "), ("EUT", "EUR"), ("yen", "JPY?")),
        *(("€", "write its three letters, as in EUR"), ("\u0131qd", "IQD"), ("EU\uff32", "EUR"), ("x" * 9999, "'xxx")),
    ],
)
def test_unknown_currency_is_refused_with_near_codes(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match="is not an ISO 4217 currency: ") as refusal:
        parse_currency(text)
    assert advice in str(refusal.value)
    assert len(str(refusal.value)) < 150


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        *((1290, "EUR", "1290 (12.90)"), (5, "KWD", "5 (0.005)"), (0, "EUR", "0"), (1290, "JPY", "1290")),
        *((10**15, "CLF", "1000000000000000 (100000000000.0000)"), (7, "", "7"), (7, "Taler", "7")),
    ],
)
def test_amount_shows_its_decimal_form(amount: int, currency: str, text: str) -> None:
    assert amount_text(amount, currency) == text

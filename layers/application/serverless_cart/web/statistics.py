"""The statistics in the Management API: their parameters, their errors and their answers (contract: Statistics)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final, Literal, TypeVar, cast

from aws_lambda_powertools.event_handler import Response

from serverless_cart.domain.errors import Refusal
from serverless_cart.domain.limits import STATISTICS_ROWS
from serverless_cart.domain.session import Device
from serverless_cart.domain.statistics_period import DEFAULT_ZONE, InvalidPeriod, Period, parse_period
from serverless_cart.domain.statistics_reports import COLUMNS, Dfid, Row, Selection
from serverless_cart.service.statistics import PeriodTooLong, Report
from serverless_cart.web import management_api
from serverless_cart.web.management_api import BadParameters
from serverless_cart.web.refusals import NotFound
from serverless_cart.web.report_csv import decimal_text, report_csv
from serverless_cart.web.request import Request
from serverless_cart.web.response import JSON, json_response, to_json

Format = Literal["json", "csv"]
_T = TypeVar("_T")

DEFAULT_LIMIT: Final = 100
MAX_ANSWER_BYTES: Final = 4 * 2**20
"""Bytes of an answer. A function can return 6 MB, in which each quotation mark of the answer takes two bytes."""
_ENGINES: Final = ("hashid[]", "hashid", "hashids[]", "hashids")
_DFID: Final = re.compile(r"([0-9A-Fa-f]{32})@([0-9A-Za-z_-]+)@([0-9A-Fa-f]{32})")
_DEVICES: Final[dict[str, Device]] = {"desktop": "desktop", "mobile": "mobile"}
_FORMATS: Final[dict[str, Format]] = {"json": "json", "csv": "csv"}
_REQUIRED: Final = "this parameter is required"
_NO_STORE: Final = {"Cache-Control": "no-store"}


class OtherEngine(Refusal):
    """A search engine is not one of the shop's, or its hashid is malformed."""


API: Final = replace(
    management_api.API,
    errors={
        **management_api.ERRORS,
        OtherEngine: (403, "access_denied"),
        PeriodTooLong: (400, "bad_params"),
    },
)


def name_of(request: Request) -> str:
    """Return the name of the report in the path. Raises `NotFound`."""
    name = "/".join(request.path[part] for part in ("report", "part") if part in request.path)
    if name not in COLUMNS:
        raise NotFound
    return name


def selection_of(request: Request, name: str) -> tuple[Selection, Format]:
    """Return the subject of a report and the format of its answer.

    Raises `OtherEngine`, and `BadParameters` with all faults of the request.
    """
    engines = _engines_of(request)
    given = {name: value for name, value in request.query.items() if value}
    faults: dict[str, list[str]] = {}

    def read(field: str, parse: Callable[[str], _T], default: _T) -> _T:
        try:
            return parse(given[field]) if field in given else default
        except ValueError as error:
            faults[field] = [str(error)]
            return default

    period = _period_of(given, faults)
    device = read("device", _one_of(_DEVICES), None)
    aggregate = read("aggregate", _one_of({"true": True, "false": False}), True)  # noqa: FBT003 - the default
    limit = read("limit", _limit, DEFAULT_LIMIT)
    dfid = read("dfid", _dfid, None)
    written: Format = read("format", _one_of(_FORMATS), "json")
    if name == "clicked_items/searches" and "dfid" not in given:
        faults["dfid"] = [_REQUIRED]
    if faults or period is None:
        raise BadParameters(faults)
    shop, query, id_ = request.principal.shop, given.get("query"), given.get("id")
    return Selection(period, engines, shop, device, aggregate, limit, dfid, query, id_), written


def report_answer(name: str, selection: Selection, report: Report, written: Format) -> Response[str]:
    """Return a report. Raises `BadParameters` if it exceeds `MAX_ANSWER_BYTES`."""
    columns = COLUMNS[name] if selection.aggregate or name == "orders" else ("hashid", *COLUMNS[name])
    body = report_csv(columns, report.rows) if written == "csv" else _json(report)
    if len(body.encode()) > MAX_ANSWER_BYTES:
        raise BadParameters({"limit": ["the answer has more than 4 MiB: ask for fewer rows or search engines"]})
    content = {"Content-Type": "text/csv; charset=utf-8"} if written == "csv" else JSON
    return json_response(200, body, _NO_STORE, content)


def _engines_of(request: Request) -> tuple[str, ...]:
    own = request.principal.search_engines
    named = {value.lower() for name in _ENGINES for value in request.query_lists.get(name, ()) if value}
    if not named <= own:
        raise OtherEngine
    return tuple(sorted(named or own))


def _period_of(given: dict[str, str], faults: dict[str, list[str]]) -> Period | None:
    missing = [field for field in ("from", "to") if field not in given]
    if missing:
        faults |= {field: [_REQUIRED] for field in missing}
        return None
    try:
        return parse_period(given["from"], given["to"], given.get("tz", DEFAULT_ZONE))
    except InvalidPeriod as invalid:
        faults |= invalid.faults
        return None


def _one_of(values: Mapping[str, _T]) -> Callable[[str], _T]:
    def parse(text: str) -> _T:
        if text not in values:
            raise ValueError(f"{text!r:.80} is not one of {', '.join(values)}")
        return values[text]

    return parse


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= STATISTICS_ROWS):
        raise ValueError(f"{text!r:.80} is not an integer from 1 to {STATISTICS_ROWS:,}")
    return int(text)


def _dfid(text: str) -> Dfid:
    match = _DFID.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r:.80} is not a dfid: use <hashid>@<index>@<md5 of the item's id>")
    return Dfid(match[1].lower(), match[2], match[3].lower())


# ----------------------------------------------------------------------------------------------------------------------
# Answers
# ----------------------------------------------------------------------------------------------------------------------


def _json(report: Report) -> str:
    """Write a report as JSON, in which an amount is a number with all of its decimals."""
    rows = ",".join(_object(row) for row in report.rows)
    counts = [cast("int", row["count"]) for row in report.rows if "count" in row]
    total = len(report.rows)
    more: Row = {} if report.total_amount is None else {"total_amount": report.total_amount}
    sums = _object({"total": total, "total_count": sum(counts) if counts else total, **more})
    return f'{{"results":[{rows}],{sums[1:]}'


def _object(row: Row) -> str:
    return "{" + ",".join(f'"{name}":{_value(value)}' for name, value in row.items()) + "}"


def _value(value: object) -> str:
    return decimal_text(value) if isinstance(value, Decimal) else to_json(value)

"""The demo shop's server as a WSGI application: its routes, and what each of them answers.

It plays the server of a shop, which signs customers in and receives the payment provider's reports.
"""

import json
import logging
import mimetypes
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import requests
from werkzeug.exceptions import BadRequest, Conflict, HTTPException, NotFound, ServiceUnavailable
from werkzeug.routing import Map, Rule
from werkzeug.utils import send_from_directory
from werkzeug.wrappers import Request, Response

from cartctl.errors import CartctlError, ExitCode, NotFoundError
from local import demo_shop, settings, shop_guard
from local.errors import LocalCloudError
from local.shop_backend import Backend, ManagementError
from local.shop_guard import LimitedRequest, SelfContainedPage
from local.stack import Stack
from serverless_cart.domain.limits import MAX_SAFE_INTEGER, STATISTICS_DAYS
from serverless_cart.service.errors import Unavailable
from tools import api_page

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PAGES: Final = settings.ROOT / "demo"
CLIENT_LIBRARY: Final = settings.ROOT / "clients" / "js" / "dist"
CUSTOMER: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._@-]{1,64}")
"""A name to sign in with. A segment of a path cannot be one or two dots."""
ORDER: Final = re.compile(r"ORD-[0-9A-Za-z]{26}")
PRODUCT: Final = re.compile(r"[0-9]{1,16}")
MANAGEMENT: Final = "/api/v2/"
PASSED_ON: Final = ("Authorization", "Content-Type")
RETURNED: Final = ("Content-Type", "Retry-After")
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")

_log: Final = logging.getLogger(__name__)

for _type, _extension in (("text/javascript", ".js"), ("image/svg+xml", ".svg")):
    mimetypes.add_type(_type, _extension)  # not every system knows them

ROUTES: Final = Map(
    [
        Rule("/settings.json", methods=["GET"], endpoint="settings"),
        Rule("/products.json", methods=["GET"], endpoint="products"),
        Rule("/sign-in", methods=["POST"], endpoint="sign_in"),
        Rule("/payments", methods=["POST"], endpoint="pay"),
        Rule("/staff/orders", methods=["GET"], endpoint="orders"),
        Rule("/staff/orders/<key>", methods=["PATCH"], endpoint="change_order"),
        Rule("/staff/products/<product>", methods=["PATCH"], endpoint="change_product"),
        Rule("/staff/statistics.html", methods=["GET"], endpoint="statistics"),
        Rule("/docs/", methods=["GET"], endpoint="api_page"),
        Rule(f"{MANAGEMENT}<path:path>", methods=METHODS, endpoint="pass_on"),
        Rule("/serverless-cart.js", methods=["GET"], endpoint="client_library"),
        Rule("/", defaults={"path": "index.html"}, methods=["GET"], endpoint="file"),
        Rule("/<path:path>", methods=["GET"], endpoint="file"),
    ],
    merge_slashes=False,
    redirect_defaults=False,
)


class Site:
    """The application. ``folder`` has the `stack.json` of the local cloud; it is read again when it changes."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._loading = threading.Lock()
        self._known: tuple[int, Backend] | None = None

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request."""
        request = LimitedRequest(environ)
        try:
            shop_guard.check(request, self._port)
            response = shop_guard.other_name(request, self._port) or self._answer(request)
        except HTTPException as error:
            response = _error(error)
        except ManagementError as error:
            response = _json({"error": error.message, "code": error.code}, error.status)
            if error.retry_after:
                response.headers["Retry-After"] = error.retry_after
        except CartctlError as error:
            response = _json({"error": str(error)}, _status(error))
        except LocalCloudError as error:
            response = _json({"error": str(error)}, 503)
        except (requests.RequestException, Unavailable):
            response = _json({"error": "the local cloud does not answer"}, 503)
        except Exception:  # noqa: BLE001 - its traceback is logged, and the answer is JSON with the headers
            _log.exception("a request failed")
            response = _json({"error": "internal server error"}, 500)
        shop_guard.protect(response, self._apis())
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        endpoint, values = ROUTES.bind_to_environ(request.environ).match()
        response: Response = getattr(self, f"_{endpoint}")(request, **values)
        return response

    def _backend(self) -> Backend:
        """Return the access to the stack as `stack.json` has it now. Raises `ServiceUnavailable` if there is none."""
        with self._loading:
            try:
                changed = (self._folder / "stack.json").stat().st_mtime_ns
                stack = None if self._known and self._known[0] == changed else Stack.load(self._folder)
            except FileNotFoundError:
                raise ServiceUnavailable("the local cloud has stopped") from None
            if stack:
                self._known = (changed, Backend(stack))
            if not self._known:
                raise ServiceUnavailable("the local cloud is of another version: run make up again")
            return self._known[1]

    def _apis(self) -> list[str]:
        """Return the addresses of the APIs that pages call."""
        try:
            stack = self._backend().stack
        except Exception:  # noqa: BLE001 - every response gets its headers, also if there is no stack
            return []
        return [stack.search_url, stack.shop_url]

    def _file(self, request: Request, path: str) -> Response:
        return send_from_directory(PAGES, path, request.environ)

    def _client_library(self, request: Request) -> Response:
        return send_from_directory(CLIENT_LIBRARY, "serverless-cart.js", request.environ)

    def _settings(self, _: Request) -> Response:
        stack = self._backend().stack
        public = {name: getattr(stack, name) for name in ("shop_url", "search_url", "hashid", "api_key")}
        customers = [demo_shop.customer(number) for number in range(1, demo_shop.CUSTOMERS + 1)]
        return _json({**public, "currency": demo_shop.CURRENCY, "customers": customers})

    def _products(self, _: Request) -> Response:
        return _json({"results": self._backend().products()})

    def _sign_in(self, request: Request) -> Response:
        customer = _text(_body(request), "customer", CUSTOMER, "1 to 64 letters, digits, dots or any of _ @ -")
        # A shop checks a password here.
        return _json({"customer": customer, **self._backend().sign_in(customer)}, 201)

    def _pay(self, request: Request) -> Response:
        key = _text(_body(request), "order", ORDER, "the key of an order")
        backend = self._backend()
        order = backend.order(key)
        if order["status"] != "hold":
            raise Conflict("the order does not wait for a payment")
        paid = {"status": "processing", "amount_paid": order["total"]}
        return _json({"order": backend.change_order(key, paid)})

    def _orders(self, request: Request) -> Response:
        return _json({"results": self._backend().recent_orders(request.args.get("status"))})

    def _change_order(self, request: Request, key: str) -> Response:
        if not ORDER.fullmatch(key):
            raise NotFound("there is no such order")
        body = _body(request)
        changes = {name: value for name, value in body.items() if name in {"status", "restock"}}
        return _json(self._backend().change_order(key, changes))

    def _change_product(self, request: Request, product: str) -> Response:
        if not PRODUCT.fullmatch(product) or int(product) > MAX_SAFE_INTEGER:
            raise NotFound("there is no such product")
        return _json(self._backend().change_product(int(product), _product_options(_body(request))))

    def _statistics(self, request: Request) -> Response:
        days = request.args.get("days", "30")
        if not (days.isascii() and days.isdigit() and len(days) < 4 and 1 <= int(days) <= STATISTICS_DAYS):
            raise BadRequest(f"days must be an integer from 1 to {STATISTICS_DAYS}")
        return SelfContainedPage(self._backend().statistics_page(int(days)))

    def _api_page(self, request: Request) -> Response:
        return SelfContainedPage(api_page.page(self._backend().stack, f"http://{request.host}"))

    def _pass_on(self, request: Request, path: str) -> Response:
        if {".", ".."} & set(re.split(r"[/\\]", unquote(path))):
            raise NotFound
        # The raw path: in a decoded one, a %2F of a customer's id would be a slash.
        target = urlsplit(request.environ["REQUEST_URI"])
        if not target.path.startswith(MANAGEMENT):
            raise NotFound
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        raw = f"{target.path}?{target.query}" if target.query else target.path
        answer = self._backend().pass_on(request.method, raw, request.get_data(), headers)
        returned = {name: answer.headers[name] for name in RETURNED if name in answer.headers}
        return Response(answer.content, answer.status_code, returned)


def _json(content: object, status: int = 200) -> Response:
    return Response(json.dumps(content, ensure_ascii=False), status, mimetype=shop_guard.JSON)


def _error(error: HTTPException) -> Response:
    """Return an error as JSON; a redirect as it is."""
    if error.code is None or error.code < 400:
        redirect = error.get_response()
        assert isinstance(redirect, Response)  # noqa: S101 - without an environment it is no other kind
        return redirect
    own_text = error.description != type(error).description
    response = _json({"error": error.description if own_text else error.name.lower()}, error.code)
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            response.headers[name] = value
    return response


def _status(error: CartctlError) -> int:
    if isinstance(error, NotFoundError):
        return 404
    return 400 if error.exit_code == ExitCode.USAGE else 409


def _body(request: Request) -> dict[str, Any]:
    """Return the object in a request's body. Raises `BadRequest`."""
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise BadRequest("the body is no JSON") from None
    if not isinstance(body, dict):
        raise BadRequest("the body is no JSON object")
    return body


def _text(body: dict[str, Any], name: str, form: re.Pattern[str], description: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise BadRequest(f"{name} must be {description}")
    return value


def _product_options(body: dict[str, Any]) -> dict[str, str]:
    """Return the options of ``cartctl catalogue set`` for a change of a product. Raises `BadRequest`."""
    options: dict[str, str] = {}
    for name in ("price", "discount", "stock"):
        if name in body:
            value = body[name]
            if name == "stock" and value is None:
                options["--stock"] = "none"
            elif type(value) is not int or not 0 <= value <= MAX_SAFE_INTEGER:
                raise BadRequest(f"{name} must be an integer from 0 to 2^53-1")
            else:
                options[f"--{name}"] = str(value)
    if "active" in body:
        if not isinstance(body["active"], bool):
            raise BadRequest("active must be true or false")
        options["--active" if body["active"] else "--inactive"] = ""
    if not options:
        raise BadRequest("nothing to change: send price, discount, stock or active")
    return options

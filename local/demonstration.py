"""Showing a running local cloud: where it answers, what opens it, and the two requests that the product exists for."""

import json
import shlex
from dataclasses import dataclass
from typing import Any, Final

import requests
from rich.console import Console

from local import settings
from local.errors import LocalCloudError
from local.stack import Stack

SESSION: Final = "demonstration"
TIMEOUT_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class _Request:
    """One request of the demonstration, and what it shows."""

    shows: str
    method: str
    url: str
    token: str
    body: dict[str, Any]

    def curl(self) -> str:
        """Write it as a command for a shell."""
        headers = [f"Authorization: Token {self.token}", "Content-Type: application/json"]
        words = ["curl", "-sS", "-i", "-w", r"\n", "-X", self.method, self.url]
        words += [word for header in headers for word in ("-H", header)]
        return shlex.join([*words, "-d", json.dumps(self.body)])

    def send(self) -> object:
        """Send it and return the answer's JSON. Raises `LocalCloudError` where it is not answered 200 and in JSON."""
        with requests.Session() as http:
            http.trust_env = False  # no proxy lies between
            http.headers["Authorization"] = f"Token {self.token}"
            try:
                answer = http.request(self.method, self.url, json=self.body, timeout=TIMEOUT_SECONDS)
            except requests.RequestException as error:
                raise LocalCloudError(f"{self.method} {self.url} got no answer: {error}") from error
        try:
            content = answer.json()
        except requests.JSONDecodeError:
            content = None
        if answer.status_code != requests.codes.ok or content is None:
            raise LocalCloudError(f"{self.method} {self.url} answered {answer.status_code}: {answer.text}")
        return content


def show(stack: Stack, console: Console) -> None:
    """Print addresses, keys and commands to paste, send the seed requests and print their answers.

    Raises `LocalCloudError` where one of them is not answered 200.
    """
    seeds, refusal = _seeds(stack), _refusal(stack)
    console.rule("The local cloud answers", align="left")
    for label, value in (
        ("Search API", stack.search_url),
        ("Shop API", stack.shop_url),
        ("Search engine (hashid)", stack.hashid),
        ("API key", stack.api_key),
        ("Customer token", stack.demonstration_token),
        ("Emulator (AWS endpoint)", stack.endpoint_url),
    ):
        _line(console, f"[bold]{label:<24}[/]{value}")
    _line(console, "[dim]More tokens, the products and a second shop: .local/stack.json[/]")
    for request in (*seeds, refusal):
        _line(console, f"\n[dim]# {request.shows}[/]")
        console.out(request.curl(), highlight=False)
    _line(console, "\n[dim]# What operators do: docs/operate.md[/]")
    for command in ("shop show demo", f"cart show demo {stack.demonstration_customer}"):
        console.out(f"{settings.CARTCTL.relative_to(settings.ROOT)} --local {command}", highlight=False)
    for request in seeds:
        with console.status("Waiting for the answer …"):
            answer = request.send()
        path = request.url.removeprefix(stack.search_url).removeprefix(stack.shop_url)
        _line(console, f"\n[bold]{request.method} {path}[/] → [green]200[/]")
        console.print_json(data=answer)


def _seeds(stack: Stack) -> tuple[_Request, _Request]:
    """Return the requests of the two vendors' pages."""
    product = next(product for product in stack.products if product.active and product.stock and product.discount)
    return (
        _Request(
            "A visitor puts a product in the cart: the search's statistics register it",
            "PUT",
            f"{stack.search_url}/6/{stack.hashid}/stats/cart/{SESSION}",
            stack.api_key,
            {"id": str(product.id), "index": "product", "title": product.name},
        ),
        _Request(
            "A customer puts it in the cart: the shop answers with the priced cart",
            "POST",
            f"{stack.shop_url}/api/shop/cart/items",
            stack.demonstration_token,
            {"product": product.id, "quantity": 2, "notes": "Please pack carefully"},
        ),
    )


def _refusal(stack: Stack) -> _Request:
    """Return a request for more than there is of the scarcest product."""
    stocks = {product.id: product.stock for product in stack.products if product.active and product.stock}
    scarcest = min(stocks, key=lambda product_id: stocks[product_id])
    return _Request(
        f"One more than the {stocks[scarcest]} in stock: refused",
        "POST",
        f"{stack.shop_url}/api/shop/cart/items",
        stack.demonstration_token,
        {"product": scarcest, "quantity": stocks[scarcest] + 1},
    )


def _line(console: Console, text: str) -> None:
    """Print a line that a terminal may wrap but that is copied as one."""
    console.print(text, soft_wrap=True, highlight=False)

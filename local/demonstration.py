"""The printed demonstration of a running local cloud: addresses, keys, and the first requests to both APIs."""

import json
import shlex
from dataclasses import dataclass
from typing import Any, Final

import requests
from rich.console import Console

from local import settings
from local.call import call, send
from local.stack import Stack

SESSION: Final = "demonstration"


@dataclass(frozen=True, slots=True)
class _Request:
    """One request of the demonstration, and its title."""

    title: str
    method: str
    url: str
    token: str
    body: dict[str, Any]

    def curl(self) -> str:
        """Return the request as a shell command."""
        headers = [f"Authorization: Token {self.token}", "Content-Type: application/json"]
        words = ["curl", "-sS", "-i", "-w", r"\n", "-X", self.method, self.url]
        words += [word for header in headers for word in ("-H", header)]
        return shlex.join([*words, "-d", json.dumps(self.body)])

    def send(self) -> tuple[int, object]:
        """Send the request and return the answer's status and JSON. Raises `LocalCloudError` if there is none."""
        return send(self.method, self.url, self.token, self.body)


def show(stack: Stack, console: Console) -> None:
    """Print addresses, keys and commands to paste, fill an empty cart with the first requests and print their answers.

    Raises `LocalCloudError` if there is no answer.
    """
    seeds, refusal = _seeds(stack), _refusal(stack)
    console.rule("The local cloud is running", align="left")
    for label, value in (
        ("Demo shop", stack.demo_url),
        ("Staff page", f"{stack.demo_url}/staff.html"),
        ("API page", f"{stack.demo_url}/docs/"),
        ("Search API", stack.search_url),
        ("Shop API", stack.shop_url),
        ("Management API", stack.management_url),
        ("Search engine (hashid)", stack.hashid),
        ("API key", stack.api_key),
        ("Customer token", stack.demonstration_token),
        ("Management key", stack.management_key),
        ("Emulator (AWS endpoint)", stack.endpoint_url),
    ):
        _line(console, f"[bold]{label:<24}[/]{value}")
    _line(console, "[dim]More tokens, the products and a second shop: .local/stack.json[/]")
    _line(console, "\n[dim]# The same as variables, for the commands in README.md[/]")
    console.out(_variables(stack), highlight=False)
    for request in (*seeds, refusal):
        _line(console, f"\n[dim]# {request.title}[/]")
        console.out(request.curl(), highlight=False)
    _line(console, "\n[dim]# Commands for operators: docs/operate.md[/]")
    for command in ("shop show demo", f"cart show demo {stack.demonstration_customer}", "stats show demo --days 90"):
        console.out(f"{settings.CARTCTL.relative_to(settings.ROOT)} --local {command}", highlight=False)
    if not call("GET", f"{stack.shop_url}/api/shop/cart", stack.demonstration_token)["is_empty"]:
        return  # make up, again
    for request in seeds:
        with console.status("Waiting for the answer …"):
            status, answer = request.send()
        path = request.url.removeprefix(stack.search_url).removeprefix(stack.shop_url)
        colour = "green" if status == requests.codes.ok else "red"  # the staff may have sold the product out
        _line(console, f"\n[bold]{request.method} {path}[/] → [{colour}]{status}[/]")
        console.print_json(data=answer)


def _variables(stack: Stack) -> str:
    """Return a shell command that sets the variables of the README."""
    values = {
        "SEARCH_URL": stack.search_url,
        "SHOP_URL": stack.shop_url,
        "MANAGEMENT_URL": stack.management_url,
        "HASHID": stack.hashid,
        "API_KEY": stack.api_key,
        "CUSTOMER_TOKEN": stack.demonstration_token,
        "MANAGEMENT_KEY": stack.management_key,
    }
    return shlex.join(["export", *(f"{name}={value}" for name, value in values.items())])


def _seeds(stack: Stack) -> tuple[_Request, _Request]:
    """Return the requests that the vendors' documentation shows."""
    product = next(product for product in stack.products if product.active and product.stock and product.discount)
    return (
        _Request(
            "A visitor adds a product to the cart: the Search API registers it",
            "PUT",
            f"{stack.search_url}/6/{stack.hashid}/stats/cart/{SESSION}",
            stack.api_key,
            {"id": str(product.id), "index": "product", "title": product.name},
        ),
        _Request(
            "A customer adds it to the cart: the Shop API returns the priced cart",
            "POST",
            f"{stack.shop_url}/api/shop/cart/items",
            stack.demonstration_token,
            {"product": product.id, "quantity": 2, "notes": "Please pack carefully"},
        ),
    )


def _refusal(stack: Stack) -> _Request:
    """Return a request for more than the stock of the scarcest product."""
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
    # A soft-wrapped line is copied from the terminal as one line.
    console.print(text, soft_wrap=True, highlight=False)

"""The demo shop's shipping and payment methods and its discount codes, for people who try out the shop.

Tests use the demo shop without them: a shop that lists no methods accepts any.
"""

from typing import Final

from rich.console import Console

from cartctl.app import run
from cartctl.connection import Deployment
from cartctl.errors import CartctlError
from local.demo_shop import FOLDER, SHOP, connection_to
from local.errors import LocalCloudError
from local.progress import step
from local.stack import Stack

PICK_UP: Final = 1
INVOICE: Final = 1
CARD: Final = 2


def load(deployment: Deployment, shop_url: str) -> None:
    """Load them. ``shop_url`` is the address of the page for payments. Raises `CartctlError`.

    May be repeated: a method that exists gets these values.
    """
    for kind, methods in _methods(shop_url).items():
        known = {method["id"] for method in run(["method", "list", SHOP, kind], deployment)}
        for id_, options in methods.items():
            run(["method", "set" if id_ in known else "add", SHOP, kind, str(id_), *options], deployment)
    run(["discount", "import", SHOP, str(FOLDER / "discount_codes.csv")], deployment)


def load_into(stack: Stack, shop_url: str, console: Console) -> None:
    """Load them into the demo shop of a running local cloud. Raises `LocalCloudError`."""
    with step(console, "Loading methods and discount codes into the demo shop"):
        try:
            load(connection_to(stack), shop_url)
        except CartctlError as error:
            raise LocalCloudError(f"the demo shop's methods and codes could not be loaded: {error}") from error


def _methods(shop_url: str) -> dict[str, dict[int, tuple[str, ...]]]:
    """Return the options of each method by kind and id. Amounts are euro cents."""
    next_step = f"{shop_url}/pay.html?order={{order_key}}&total={{total}}&currency={{currency}}"
    return {
        "shipping": {
            PICK_UP: ("--name", "Pick up", "--cost", "0"),
            2: ("--name", "Parcel", "--cost", "490", "--free-from", "5000"),
            3: ("--name", "Express", "--cost", "1290"),
        },
        "payment": {
            INVOICE: ("--name", "Invoice", "--pays-later"),
            CARD: ("--name", "Card", "--next-step", next_step),
        },
    }

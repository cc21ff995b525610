"""Loading the demo shop and a second shop with cartctl, as an operator does. Each start issues new keys."""

from pathlib import Path
from typing import Any, Final

from cartctl.app import run
from cartctl.connection import Deployment as Connection
from cartctl.errors import CartctlError
from local import environment, settings
from local.errors import LocalCloudError
from local.stack import DemoShop, Deployment, SecondShop
from serverless_cart.dynamodb.catalogue import Catalogue

SHOP: Final = "demo"
CURRENCY: Final = "EUR"
FOLDER: Final = Path(__file__).parent / "demo"
CUSTOMERS: Final = 8
DEMONSTRATION: Final = "demonstration"
BLOCKED_NETWORKS: Final = ("203.0.113.0/24", "2001:db8:bad::/48")
BLOCKED_ADDRESS: Final = "203.0.113.7"
ALLOWED_ORIGIN: Final = "https://second-shop.example"


def connection_to(deployment: Deployment) -> Connection:
    """Return the deployment as cartctl's commands need it."""
    return Connection(
        session=environment.session(),
        stack=settings.STACK_NAME,
        table_name=deployment.table_name,
        search_url=deployment.search_url,
        shop_url=deployment.shop_url,
        management_url=deployment.management_url,
        endpoint_url=deployment.endpoint_url,
    )


def customer(number: int) -> str:
    """Return the name of a customer of the demo shop, from 1 to `CUSTOMERS`."""
    return f"customer-{number}"


def load(into: Deployment) -> DemoShop:
    """Create both shops in a deployment. Raises `LocalCloudError`."""
    connection = connection_to(into)

    def cartctl(*arguments: str) -> Any:  # noqa: ANN401 - the command's JSON
        return run(arguments, connection)

    def token(shop: str, of: str, *options: str) -> str:
        issued: str = cartctl("customer", "issue", shop, of, *options)["token"]
        return issued

    def key(shop: str, kind: str) -> str:
        issued: str = cartctl("key", "issue", shop, "--kind", kind, "--label", shop)["key"]
        return issued

    try:
        blocked = [word for network in BLOCKED_NETWORKS for word in ("--block", network)]
        demo = cartctl("shop", "create", SHOP, "--currency", CURRENCY, *blocked)
        second = cartctl("shop", "create", "second", "--currency", CURRENCY, "--origin", ALLOWED_ORIGIN)
        cartctl("catalogue", "import", SHOP, str(FOLDER / "catalogue.csv"))
        cartctl("catalogue", "import", "second", str(FOLDER / "second_catalogue.csv"))
        revoked = token(SHOP, "revoked")
        cartctl("customer", "revoke", SHOP, "revoked")
        return DemoShop(
            hashid=demo["search_engines"][0],
            api_key=key(SHOP, "api"),
            management_key=key(SHOP, "management"),
            customer_tokens=tuple(token(SHOP, customer(number)) for number in range(1, CUSTOMERS + 1)),
            demonstration_customer=DEMONSTRATION,
            demonstration_token=token(SHOP, DEMONSTRATION),
            expired_token=token(SHOP, "expired", "--expires-in", "1s"),
            revoked_token=revoked,
            blocked_address=BLOCKED_ADDRESS,
            products=tuple(Catalogue(connection.table, SHOP).products()),
            second_shop=SecondShop(
                hashid=second["search_engines"][0],
                api_key=key("second", "api"),
                management_key=key("second", "management"),
                customer_token=token("second", "customer-1"),
                allowed_origin=ALLOWED_ORIGIN,
            ),
        )
    except CartctlError as error:
        raise LocalCloudError(f"the demo shop could not be loaded: {error}") from error

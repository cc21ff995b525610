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

FOLDER: Final = Path(__file__).parent / "demo"
CUSTOMERS: Final = 8
DEMONSTRATION: Final = "demonstration"
BLOCKED_NETWORKS: Final = ("203.0.113.0/24", "2001:db8:bad::/48")
BLOCKED_ADDRESS: Final = "203.0.113.7"
ALLOWED_ORIGIN: Final = "https://second-shop.example"


def load(into: Deployment) -> DemoShop:
    """Create both shops in a deployment. Raises `LocalCloudError`."""
    connection = Connection(
        session=environment.session(),
        stack=settings.STACK_NAME,
        table_name=into.table_name,
        search_url=into.search_url,
        shop_url=into.shop_url,
        management_url=into.management_url,
        endpoint_url=into.endpoint_url,
    )

    def cartctl(*arguments: str) -> Any:  # noqa: ANN401 - the command's JSON
        return run(arguments, connection)

    def token(shop: str, customer: str, *options: str) -> str:
        issued: str = cartctl("customer", "issue", shop, customer, *options)["token"]
        return issued

    def key(shop: str, kind: str) -> str:
        issued: str = cartctl("key", "issue", shop, "--kind", kind, "--label", shop)["key"]
        return issued

    try:
        blocked = [word for network in BLOCKED_NETWORKS for word in ("--block", network)]
        demo = cartctl("shop", "create", "demo", "--currency", "EUR", *blocked)
        second = cartctl("shop", "create", "second", "--currency", "EUR", "--origin", ALLOWED_ORIGIN)
        cartctl("catalogue", "import", "demo", str(FOLDER / "catalogue.csv"))
        cartctl("catalogue", "import", "second", str(FOLDER / "second_catalogue.csv"))
        revoked = token("demo", "revoked")
        cartctl("customer", "revoke", "demo", "revoked")
        return DemoShop(
            hashid=demo["search_engines"][0],
            api_key=key("demo", "api"),
            management_key=key("demo", "management"),
            customer_tokens=tuple(token("demo", f"customer-{number}") for number in range(1, CUSTOMERS + 1)),
            demonstration_customer=DEMONSTRATION,
            demonstration_token=token("demo", DEMONSTRATION),
            expired_token=token("demo", "expired", "--expires-in", "1s"),
            revoked_token=revoked,
            blocked_address=BLOCKED_ADDRESS,
            products=tuple(Catalogue(connection.table, "demo").products()),
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

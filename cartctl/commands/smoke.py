"""``cartctl smoke``: a test purchase in a deployment, from an empty cart to a cancelled order."""

from typing import Annotated

import typer

from cartctl import smoke as visits
from cartctl.arguments import ShopName
from cartctl.commands import shop as shops
from cartctl.commands.doctor import report
from cartctl.errors import CartctlError, NotFoundError
from cartctl.shell import Invocation, invocation
from serverless_cart.dynamodb.catalogue import Catalogue


def smoke(
    context: typer.Context,
    shop: ShopName,
    product: Annotated[int, typer.Option(min=1, metavar="ID", help="Product to buy, with a limited stock.")] = 1,
) -> None:
    """Buy a product over HTTP and cancel the order, in a shop for tests. The exit code is 5 if a step failed.

    Each run leaves a cancelled order of the customer *cartctl-smoke*. Use a shop without shipping and payment methods:

        cartctl smoke smoke

    docs/operate.md, "Smoke test", has the commands that create such a shop.
    """
    run = invocation(context)
    shops.check_not_deleting(shops.find(run, shop))
    _check_product(run, shop, product)
    report(run, visits.run_steps(run.deployment, shop, product))


def _check_product(run: Invocation, shop: str, id_: int) -> None:
    """Check that a piece can be sold. Raises `CartctlError`."""
    product = Catalogue(run.deployment.table, shop).find([id_]).get(id_)
    if product is None:
        raise NotFoundError(f"Shop {shop} has no product {id_}: import one, or pass --product.")
    if not product.active or not product.stock:
        raise CartctlError(
            f"Product {id_} cannot be bought: run cartctl catalogue set {shop} {id_} --active --stock 5."
        )

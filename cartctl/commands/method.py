"""``cartctl method``: the shipping and payment methods of a shop."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import typer

from cartctl.arguments import ShopName, Yes, checked, minor_units
from cartctl.commands import shop as shops
from cartctl.errors import CartctlError, ExitCode, NotFoundError
from cartctl.shell import App, Invocation, confirm, invocation
from serverless_cart.domain import limits
from serverless_cart.domain import validation as rules
from serverless_cart.domain.methods import Kind, Method, PaymentMethod, ShippingMethod
from serverless_cart.dynamodb.methods import MethodsChanged, MethodStore

app = App("Add, list, change and remove the shipping and payment methods of a shop.")

_OWN_OPTIONS: Final = {
    Kind.SHIPPING: {"cost": "--cost", "free_from": "--free-from"},
    Kind.PAYMENT: {"pays_later": "--pays-later", "next_step": "--next-step"},
}


def _subtotal(text: str) -> str:
    return text if text == "none" else str(minor_units(text))


KindName = Annotated[Kind, typer.Argument(metavar="shipping|payment", help="Kind of the method.", show_default=False)]
Id = Annotated[
    int, typer.Argument(metavar="ID", min=0, max=limits.MAX_SAFE_INTEGER, help="Id of the method in the shop.")
]
Name = Annotated[
    str | None, typer.Option(parser=checked(rules.parse_method_name), metavar="TEXT", help="Name that customers see.")
]
Description = Annotated[
    str | None,
    typer.Option(
        parser=checked(rules.parse_method_description), metavar="TEXT", help="Text that customers see; empty for none."
    ),
]
Cost = Annotated[int | None, typer.Option(parser=minor_units, metavar="AMOUNT", help="Cost, in minor units.")]
FreeFrom = Annotated[
    str | None,
    typer.Option(
        parser=_subtotal, metavar="AMOUNT", help="Subtotal from which it costs nothing, in minor units; none for never."
    ),
]
PaysLater = Annotated[
    bool | None, typer.Option("--pays-later/--pays-now", help="Whether an order needs no payment now, as on invoice.")
]
NextStep = Annotated[
    str | None,
    typer.Option(
        parser=checked(rules.parse_next_step),
        metavar="URL",
        help="Page that takes the payment, with {order_key}, {total} and {currency}; empty for none.",
    ),
]
Active = Annotated[bool | None, typer.Option("--active/--inactive", help="Whether customers can select it.")]
Position = Annotated[int | None, typer.Option(min=1, metavar="N", help="Place in the list, 1 for the first.")]


@app.command()
def add(
    context: typer.Context,
    shop: ShopName,
    kind: KindName,
    method: Id,
    name: Name = None,
    description: Description = None,
    cost: Cost = None,
    free_from: FreeFrom = None,
    pays_later: PaysLater = None,
    next_step: NextStep = None,
    active: Active = None,
    position: Position = None,
) -> None:
    """Add a method, at the end of the list by default. A shop has at most 50 of each kind.

    Once a shop lists methods of a kind, customers can select no others. Carts show a change within a minute.

        cartctl method add my-shop shipping 3 --name "Parcel" --cost 490 --free-from 5000

        cartctl method add my-shop payment 8 --name "Invoice" --pays-later

        cartctl method add my-shop payment 9 --name "Card" --next-step "https://pay.example/?order={order_key}"
    """
    run = invocation(context)
    if name is None:
        raise CartctlError("A method needs a name: pass --name.", ExitCode.USAGE)
    given = _given(kind, name, description, cost, free_from, pays_later, next_step, active)
    new: Method = ShippingMethod(method, **given) if kind is Kind.SHIPPING else PaymentMethod(method, **given)

    def change(methods: list[Method]) -> list[Method]:
        if any(other.id == method for other in methods):
            raise CartctlError(f"Shop {shop} already has {kind} method {method}: change it with cartctl method set.")
        if len(methods) >= limits.METHODS:
            raise CartctlError(f"A shop has at most {limits.METHODS} {kind} methods: remove one first.")
        return _placed(methods, new, len(methods) + 1 if position is None else position)

    _change(run, shop, kind, change)
    _show(run, new)


@app.command("list")
def list_(context: typer.Context, shop: ShopName, kind: KindName) -> None:
    """List the methods of a kind in the order in which customers see them, inactive ones included.

    cartctl method list my-shop shipping
    """
    run = invocation(context)
    shops.find(run, shop)
    methods, _ = MethodStore(run.deployment.table).read(shop, kind)
    fields = (ShippingMethod if kind is Kind.SHIPPING else PaymentMethod)._fields
    run.out.rows(
        [method._asdict() for method in methods],
        tuple(map(_title, fields)),
        ([_text(value) for value in method] for method in methods),
        nothing=f"Shop {shop} lists no {kind} methods, so customers can select any id.",
        long=("Name", "Description", "Next step"),
    )


@app.command("set")
def set_(
    context: typer.Context,
    shop: ShopName,
    kind: KindName,
    method: Id,
    name: Name = None,
    description: Description = None,
    cost: Cost = None,
    free_from: FreeFrom = None,
    pays_later: PaysLater = None,
    next_step: NextStep = None,
    active: Active = None,
    position: Position = None,
) -> None:
    """Change one method; all other values stay. Carts show the change within a minute.

    cartctl method set my-shop shipping 3 --cost 590 --free-from none

    cartctl method set my-shop payment 8 --inactive
    """
    run = invocation(context)
    given = _given(kind, name, description, cost, free_from, pays_later, next_step, active)
    if not given and position is None:
        raise CartctlError("Nothing to change: pass --name, --inactive or another option.", ExitCode.USAGE)

    def change(methods: list[Method]) -> list[Method]:
        place = _place(methods, shop, kind, method)
        changed = methods[place]._replace(**given)
        others = methods[:place] + methods[place + 1 :]
        return _placed(others, changed, place + 1 if position is None else position)

    changed = _change(run, shop, kind, change)
    _show(run, changed[_place(changed, shop, kind, method)])


@app.command()
def remove(context: typer.Context, shop: ShopName, kind: KindName, method: Id, yes: Yes = False) -> None:
    """Remove a method. Carts that have selected it show a warning. To keep it for later, set it --inactive instead.

    cartctl method remove my-shop shipping 3
    """
    run = invocation(context)
    confirm(f"Remove {kind} method {method} of shop {shop}?", yes=yes)

    def change(methods: list[Method]) -> list[Method]:
        place = _place(methods, shop, kind, method)
        return methods[:place] + methods[place + 1 :]

    left = _change(run, shop, kind, change)
    run.out.fields({"removed": method, "left": len(left)}, {"Removed": method, "Methods left": len(left)})


def _given(kind: Kind, *values: object) -> dict[str, Any]:
    """Return the options that were passed, by their fields. Raises `CartctlError` for those of the other kind."""
    names = ("name", "description", "cost", "free_from", "pays_later", "next_step", "active")
    given: dict[str, Any] = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    other = Kind.PAYMENT if kind is Kind.SHIPPING else Kind.SHIPPING
    if foreign := [option for field, option in _OWN_OPTIONS[other].items() if field in given]:
        raise CartctlError(f"{foreign[0]} is for {other} methods: leave it out.", ExitCode.USAGE)
    if "free_from" in given:
        given["free_from"] = None if given["free_from"] == "none" else int(given["free_from"])
    for field, most in (("cost", limits.SHIPPING_COST), ("free_from", limits.MAX_SAFE_INTEGER)):
        if (given.get(field) or 0) > most:
            raise CartctlError(
                f"{_OWN_OPTIONS[kind][field]} is at most {most} minor units: pass a lower amount.", ExitCode.USAGE
            )
    return given | {name: given[name] or None for name in ("description", "next_step") if name in given}


def _place(methods: Sequence[Method], shop: str, kind: Kind, id_: int) -> int:
    for place, method in enumerate(methods):
        if method.id == id_:
            return place
    raise NotFoundError(f"Shop {shop} has no {kind} method {id_}: run cartctl method list {shop} {kind} to see them.")


def _placed(methods: list[Method], method: Method, position: int) -> list[Method]:
    return [*methods[: position - 1], method, *methods[position - 1 :]]


def _change(run: Invocation, shop: str, kind: Kind, change: Callable[[list[Method]], list[Method]]) -> list[Method]:
    """Change the methods of a kind in one transaction, and return them. Raises `CartctlError`."""
    shops.check_not_deleting(shops.find(run, shop))
    store = MethodStore(run.deployment.table)
    methods, version = store.read(shop, kind)
    changed = change(methods)
    try:
        if changed != methods:
            store.replace(shop, kind, changed, version)
    except MethodsChanged:
        raise CartctlError(
            f"Someone else has just changed the methods of shop {shop}: run the command again."
        ) from None
    return changed


def _show(run: Invocation, method: Method) -> None:
    fields = method._asdict()
    run.out.fields(fields, {_title(name): _text(value) for name, value in fields.items()})


def _title(field: str) -> str:
    return field.replace("_", " ").capitalize()


def _text(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value

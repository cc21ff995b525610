"""The demo shop's methods and discount codes in the table: loaded again, they are the same."""

from local import demo_terms
from local.demo_shop import CURRENCY, SHOP
from tests.support.operator import Operator

METHODS = {
    "shipping": [(1, 0, None), (2, 490, 5000), (3, 1290, None)],
    "payment": [
        (1, True, None),
        (2, False, "http://127.0.0.1:4601/pay.html?order={order_key}&total={total}&currency={currency}"),
    ],
}


def test_methods_and_codes_are_loaded_again(operator: Operator) -> None:
    operator.run("shop", "create", SHOP, "--currency", CURRENCY)

    for port in (4600, 4601):
        demo_terms.load(operator.deployment, f"http://127.0.0.1:{port}")

    for kind, expected in METHODS.items():
        fields = ("id", "cost", "free_from") if kind == "shipping" else ("id", "pays_later", "next_step")
        listed = operator.run("method", "list", SHOP, kind)
        assert [tuple(method[field] for field in fields) for method in listed] == expected
    codes = operator.run("discount", "list", SHOP)
    assert {code["code"]: (code["percent"], code["amount"], code["minimum"], code["max_uses"]) for code in codes} == {
        "WELCOME": (10, None, 0, None), "SAVE5": (None, 500, 3000, None), "ONCE": (20, None, 0, 1)
    }  # fmt: skip

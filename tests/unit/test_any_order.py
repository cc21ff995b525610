"""Anything that may happen to a cart, in any order, over a store in memory."""

from hypothesis import settings

from serverless_cart.domain.discounts import DiscountCode
from serverless_cart.domain.methods import Kind, Method
from serverless_cart.domain.product import Product
from serverless_cart.service.ports import CartStore
from tests.support.builders import OWNER
from tests.support.cart_machine import RULES, CartMachine
from tests.support.reference_cart import Clock, FakeStore


class Carts(CartMachine):
    """The service over `FakeStore`."""

    def open_store(self, clock: Clock) -> CartStore:
        self.memory = FakeStore(clock, rules=RULES)
        return self.memory

    def put(self, it: Product) -> None:
        self.memory.catalogue[it.id] = it

    def delete(self, it: Product) -> None:
        del self.memory.catalogue[it.id]

    def put_code(self, code: DiscountCode, uses: int) -> None:
        self.memory.codes[code.key], self.memory.uses[code.key] = code, uses

    def put_methods(self, kind: Kind, methods: list[Method]) -> None:
        self.memory.methods[kind] = methods

    def sweep(self) -> None:
        del self.memory.carts[OWNER]


Carts.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None, derandomize=True)
TestCarts = Carts.TestCase

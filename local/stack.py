"""The description of a running local cloud for other tools: `stack.json`, and the files that `sam local` needs."""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from local import containers, sam_local
from serverless_cart.domain.product import Product


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondShop:
    """A second shop, which restricts the allowed origins."""

    hashid: str
    api_key: str
    management_key: str
    customer_token: str
    allowed_origin: str


@dataclass(frozen=True, kw_only=True)
class DemoShop:
    """The demo shop and its keys. Amounts are euro cents."""

    hashid: str
    api_key: str
    management_key: str
    customer_tokens: tuple[str, ...]
    """Tokens of customers whose carts are empty."""
    demonstration_customer: str
    demonstration_token: str
    """The customer of the printed demonstration, and the token."""
    expired_token: str
    revoked_token: str
    blocked_address: str
    """An address in the shop's blocked networks."""
    products: tuple[Product, ...]
    second_shop: SecondShop


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The addresses of the deployed stack. A URL and a route's path of the contract make an address."""

    search_url: str
    shop_url: str
    management_url: str
    endpoint_url: str
    region: str
    table_name: str


@dataclass(frozen=True, kw_only=True)
class Stack(Deployment, DemoShop):
    """A running local cloud with the demo shop in it."""

    demo_url: str = ""
    """The address of the demo shop's server; empty until it is started."""

    @classmethod
    def of(cls, deployment: Deployment, shop: DemoShop) -> "Stack":
        """Combine a deployment and the demo shop in it."""
        parts = ((deployment, Deployment), (shop, DemoShop))
        return cls(**{field.name: getattr(part, field.name) for part, kind in parts for field in fields(kind)})

    def save(self, folder: Path) -> None:
        """Write `stack.json` and the files of `sam local`. They have keys, so only the owner may read them."""
        folder.mkdir(parents=True, exist_ok=True)
        _write(
            folder / "stack.json",
            json.dumps({**asdict(self), "products": [product._asdict() for product in self.products]}, indent=2),
        )
        for name, content in sam_local.files(folder, self, containers.bridge()).items():
            _write(folder / name, content)

    @classmethod
    def load(cls, folder: Path) -> "Stack | None":
        """Read `stack.json`; return ``None`` if there is none, or only one of another version."""
        if not is_known(folder):
            return None
        fields = json.loads((folder / "stack.json").read_text())
        try:
            fields["customer_tokens"] = tuple(fields["customer_tokens"])
            fields["products"] = tuple(Product(**product) for product in fields["products"])
            fields["second_shop"] = SecondShop(**fields["second_shop"])
            return cls(**fields)
        except (KeyError, TypeError):
            return None


def is_known(folder: Path) -> bool:
    """Return whether there is a `stack.json`."""
    return (folder / "stack.json").exists()


def is_same(folder: Path, other: Path) -> bool:
    """Return whether two folders describe the same stack."""
    return (
        is_known(folder)
        and is_known(other)
        and (folder / "stack.json").read_bytes() == (other / "stack.json").read_bytes()
    )


def forget(folder: Path) -> None:
    """Remove the files of `Stack.save`."""
    for name in ("stack.json", *sam_local.FILES):
        (folder / name).unlink(missing_ok=True)


def _write(path: Path, content: str) -> None:
    """Replace a file by one that only its owner may read."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{content}\n")
    draft.replace(path)

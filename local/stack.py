"""What a running local cloud tells other tools: `stack.json`, and the configuration and variables of `sam local`."""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from local import environment, settings
from serverless_cart.domain.product import Product


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondShop:
    """A shop beside the demo shop, which lists allowed origins."""

    hashid: str
    api_key: str
    customer_token: str
    allowed_origin: str


@dataclass(frozen=True, kw_only=True)
class DemoShop:
    """The demo shop and what opens it. Money is euro cents."""

    hashid: str
    api_key: str
    customer_tokens: tuple[str, ...]
    """Tokens of customers whose carts are empty."""
    demonstration_customer: str
    demonstration_token: str
    """The customer whom the printed demonstration shops for, and its token."""
    expired_token: str
    revoked_token: str
    blocked_address: str
    """An address in the shop's blocked networks."""
    products: tuple[Product, ...]
    second_shop: SecondShop


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Where the deployed stack answers. A route's path is appended to a URL as it stands in the contract."""

    search_url: str
    shop_url: str
    endpoint_url: str
    region: str
    table_name: str


@dataclass(frozen=True, kw_only=True)
class Stack(Deployment, DemoShop):
    """A running local cloud with the demo shop in it."""

    @classmethod
    def of(cls, deployment: Deployment, shop: DemoShop) -> "Stack":
        """Join what is deployed to the shop that was loaded into it."""
        parts = ((deployment, Deployment), (shop, DemoShop))
        return cls(**{field.name: getattr(part, field.name) for part, kind in parts for field in fields(kind)})

    def save(self, folder: Path) -> None:
        """Write `stack.json` and what `sam local` needs, which nobody else may read: they hold keys."""
        folder.mkdir(parents=True, exist_ok=True)
        _write(
            folder / "stack.json",
            json.dumps({**asdict(self), "products": [product._asdict() for product in self.products]}, indent=2),
        )
        variables = {"TABLE_NAME": self.table_name, "AWS_ENDPOINT_URL_DYNAMODB": self.endpoint_url}
        _write(folder / "sam-local.json", json.dumps({"Parameters": variables}, indent=2))
        _write(folder / "sam-local.toml", _sam_local(folder / "sam-local.json", self.endpoint_url))

    @classmethod
    def load(cls, folder: Path) -> "Stack | None":
        """Read `stack.json`; nothing where there is none, or one of another version."""
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
    """Tell whether there is a `stack.json`."""
    return (folder / "stack.json").exists()


def is_same(folder: Path, other: Path) -> bool:
    """Tell whether two folders tell of the same stack."""
    return (
        is_known(folder)
        and is_known(other)
        and (folder / "stack.json").read_bytes() == (other / "stack.json").read_bytes()
    )


def forget(folder: Path) -> None:
    """Remove what `Stack.save` wrote."""
    for name in ("stack.json", "sam-local.json", "sam-local.toml"):
        (folder / name).unlink(missing_ok=True)


def _sam_local(variables: Path, endpoint_url: str) -> str:
    """Write SAM's configuration for running what was built here, for this host, against the emulator's table."""
    settings_of_both = f"""
template_file = "{settings.BUILD / "template.yaml"}"
env_vars = "{variables}"
docker_network = "host"
parameter_overrides = [
  "Runtime={environment.RUNTIME}",
  "Architecture={environment.ARCHITECTURE}",
  "DynamoDBEndpoint={endpoint_url}",
]
"""
    commands = ("local_invoke", "local_start_api")
    return "version = 0.1\n" + "".join(f"\n[default.{command}.parameters]{settings_of_both}" for command in commands)


def _write(path: Path, content: str) -> None:
    """Write a file as a whole, for its owner alone."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{content}\n")
    draft.replace(path)

"""The environment variables of the functions, as template.yaml sets them."""

import os
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from serverless_cart.domain.limits import MAX_ITEM_QUANTITY, Limits


class Environment(BaseModel):
    """The package's variables, named as the fields, in capitals. Powertools and the SDK read others."""

    model_config = ConfigDict(alias_generator=str.upper, frozen=True, hide_input_in_errors=True)

    table_name: str
    database_timeout_seconds: Annotated[float, Field(gt=0)] = 1.0
    cart_items: Annotated[int, Field(ge=1, le=100)] = 100
    item_quantity: Annotated[int, Field(ge=1, le=MAX_ITEM_QUANTITY)] = MAX_ITEM_QUANTITY
    cart_lifetime_days: Annotated[int, Field(ge=1, le=365)] = 30
    price_age_seconds: Annotated[int, Field(ge=10, le=60)] = 60
    session_item_lifetime_hours: Annotated[int, Field(ge=1, le=168)] = 24
    statistics_retention_days: Annotated[int, Field(ge=1)] = 400
    hold_minutes: Annotated[int, Field(ge=1, le=720)] = 30
    open_holds: Annotated[int, Field(ge=1, le=100)] = 10

    @classmethod
    def load(cls, variables: Mapping[str, str] = os.environ) -> "Environment":
        """Read the variables; an empty one counts as absent. Raises `pydantic.ValidationError`."""
        return cls.model_validate({name: value for name, value in variables.items() if value})

    @property
    def limits(self) -> Limits:
        """The limits of this deployment."""
        return Limits(
            cart_items=self.cart_items,
            item_quantity=self.item_quantity,
            cart_lifetime=self.cart_lifetime_days * 24 * 3600,
            price_age=self.price_age_seconds,
            session_item_lifetime=self.session_item_lifetime_hours * 3600,
            hold_lifetime=self.hold_minutes * 60,
            open_holds=self.open_holds,
        )

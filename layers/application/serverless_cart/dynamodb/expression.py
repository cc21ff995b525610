"""The condition and update expressions of one conditional write."""

from collections.abc import Mapping
from typing import Any

from serverless_cart.dynamodb.attributes import number


class Expression:
    """The clauses of one conditional write, with their names and values.

    Every attribute has a placeholder, because many plain words are reserved in DynamoDB's expressions.

    >>> change = Expression()
    >>> change.set("title", {"S": "Mug"})
    >>> change.require_present("pk")
    >>> change.update()["UpdateExpression"]
    'SET #n0 = :v0'
    """

    def __init__(self) -> None:
        """Start without clauses."""
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._set: list[str] = []
        self._add: list[str] = []
        self._remove: list[str] = []
        self._delete: list[str] = []
        self._conditions: list[str] = []

    def name(self, attribute: str) -> str:
        """Return the placeholder of an attribute."""
        return self._names.setdefault(attribute, f"#n{len(self._names)}")

    def value(self, value: Mapping[str, Any]) -> str:
        """Return a placeholder for a value."""
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = value
        return placeholder

    def set(self, attribute: str, value: Mapping[str, Any]) -> None:
        """Set an attribute."""
        self._set.append(f"{self.name(attribute)} = {self.value(value)}")

    def set_once(self, attribute: str, value: Mapping[str, Any]) -> None:
        """Set an attribute unless it has a value."""
        name = self.name(attribute)
        self._set.append(f"{name} = if_not_exists({name}, {self.value(value)})")

    def count_up(self, attribute: str, start: int) -> None:
        """Increase a number by one; if it is absent, set it to one more than ``start``."""
        name = self.name(attribute)
        first, one = self.value(number(start)), self.value(number(1))
        self._set.append(f"{name} = if_not_exists({name}, {first}) + {one}")

    def add(self, attribute: str, value: Mapping[str, Any]) -> None:
        """Add to a number or to a set; an absent one counts as 0 or as empty."""
        self._add.append(f"{self.name(attribute)} {self.value(value)}")

    def remove(self, attribute: str) -> None:
        """Remove an attribute."""
        self._remove.append(self.name(attribute))

    def delete(self, attribute: str, value: Mapping[str, Any]) -> None:
        """Delete elements of a set."""
        self._delete.append(f"{self.name(attribute)} {self.value(value)}")

    def require(self, condition: str) -> None:
        """Write only if this condition holds too."""
        self._conditions.append(condition)

    def require_present(self, attribute: str) -> None:
        """Write only if the item has this attribute."""
        self.require(f"attribute_exists({self.name(attribute)})")

    def require_absent(self, attribute: str) -> None:
        """Write only if the item does not have this attribute, or if there is no item."""
        self.require(f"attribute_not_exists({self.name(attribute)})")

    def require_equal(self, attribute: str, value: Mapping[str, Any]) -> None:
        """Write only if the attribute has this value."""
        self.require(f"{self.name(attribute)} = {self.value(value)}")

    def require_absent_or(self, attribute: str, operator: str, value: Mapping[str, Any]) -> None:
        """Write only if the attribute is absent, or if the comparison with this value holds."""
        name = self.name(attribute)
        self.require(f"(attribute_not_exists({name}) OR {name} {operator} {self.value(value)})")

    def update(self) -> dict[str, Any]:
        """Return the parameters of an UpdateItem."""
        clauses = {"SET": self._set, "ADD": self._add, "REMOVE": self._remove, "DELETE": self._delete}
        expression = " ".join(f"{verb} {','.join(parts)}" for verb, parts in clauses.items() if parts)
        return {"UpdateExpression": expression, **self.condition()}

    def condition(self) -> dict[str, Any]:
        """Return the parameters of a write that has only a condition."""
        names = {placeholder: attribute for attribute, placeholder in self._names.items()}
        parameters: dict[str, Any] = {"ExpressionAttributeNames": names}
        if self._values:
            parameters["ExpressionAttributeValues"] = self._values
        if self._conditions:
            parameters["ConditionExpression"] = " AND ".join(self._conditions)
        return parameters

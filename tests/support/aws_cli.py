"""Commands of the AWS CLI as calls of botocore, so that documented commands can be checked and run without the CLI."""

import json
import re
import shlex
from typing import Any, NamedTuple

import botocore.session
from botocore import xform_name
from botocore.model import ListShape, Shape, StructureShape
from botocore.validate import ParamValidator

SESSION = botocore.session.get_session()
GLOBAL = {"output", "query", "region", "profile"}
"""Options of the CLI itself."""
CUSTOM = {("cloudformation", "deploy"), ("logs", "tail")}
"""Commands of the CLI that are no operation."""
SERVICES = {"deploy": "codedeploy"}
"""Names of services that differ from those of botocore."""


class Call(NamedTuple):
    """An operation of a service with its parameters, or a waiter."""

    service: str
    operation: str
    parameters: dict[str, Any]
    waiter: str = ""


def commands(text: str) -> list[str]:
    """Return the commands of the CLI in a text, one line each: those at the beginning of a line, or in backticks."""
    lines = text.replace("\\\n", " ").splitlines()
    found = [re.search(r"(?:^|\$\(|^until )\s*(aws [a-z0-9-]+ .*)", line) for line in lines]
    spans = re.findall(r"`(aws [a-z0-9-]+ [a-z-]+ --[^`]*)`", text)
    return [*spans, *(re.sub(r" \|.*$|\)$", "", one[1]) for one in found if one)]


def parse(command: str) -> Call | None:
    """Return the call of a command, or ``None`` if it is no operation.

    A file is not read: its content is the CLI's. Raises `AssertionError` if AWS has no such call.
    """
    _, given_service, name, *words = shlex.split(command)
    service = SERVICES.get(given_service, given_service)
    if (service, name) in CUSTOM:
        return None
    waiter = words.pop(0) if name == "wait" else ""
    model = SESSION.get_service_model(service)
    if waiter:
        waiters = SESSION.get_waiter_model(service)
        name = xform_name(waiters.get_waiter(_of(waiters.waiter_names, waiter)).operation, "-")
    operation = model.operation_model(_of(model.operation_names, name))
    shape = operation.input_shape
    members = {} if shape is None else {xform_name(member, "-"): member for member in shape.members}
    options: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            options[word[2:]] = values = []
        else:
            values.append(word)
    parameters: dict[str, Any] = {}
    files: set[str] = set()
    for option, given in options.items():
        if option in GLOBAL:
            continue
        is_off = option.startswith("no-") and option not in members
        member = members.get(option.removeprefix("no-") if is_off else option)
        assert member, f"{service} {name} has no option --{option}"
        assert shape is not None
        if not given:
            parameters[member] = not is_off
        elif given[0].startswith("file://"):
            files.add(member)
        else:
            parameters[member] = _value(shape.members[member], given)
    if shape is not None:
        errors = ParamValidator().validate(parameters, shape).generate_report().splitlines()
        missing = {f'Missing required parameter in input: "{file}"' for file in files}
        assert not set(errors) - missing, errors
    return Call(service, operation.name, parameters, waiter)


def _of(names: list[str], kebab: str) -> str:
    found = [name for name in names if xform_name(name, "-") == kebab]
    assert found, f"AWS has no {kebab}"
    return found[0]


def _value(shape: Shape, words: list[str]) -> Any:
    """Return an option's value, in JSON or the shorthand syntax of the CLI."""
    if isinstance(shape, ListShape) and not words[0].startswith("["):
        return [_value(shape.member, [word]) for word in words]
    (word,) = words
    if word.startswith(("{", "[")) and shape.type_name != "string":
        return json.loads(word)
    if isinstance(shape, StructureShape):
        pairs = dict(pair.split("=", 1) for pair in word.split(","))
        return {name: _value(shape.members[name], [value]) for name, value in pairs.items()}
    if shape.type_name == "boolean":
        return word.lower() == "true"
    convert = {"integer": int, "long": int, "double": float, "float": float}.get(shape.type_name, str)
    return convert(word)

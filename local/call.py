"""Requests to the APIs of a running local cloud."""

import json
from typing import Any, Final

import requests

from local.errors import LocalCloudError

TIMEOUT_SECONDS: Final = 30


def call(method: str, url: str, token: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - the answer's JSON
    """Send a request and return the answer's JSON. Raises `LocalCloudError` unless the answer is 200 and JSON."""
    status, content = send(method, url, token, body)
    if status != requests.codes.ok:
        raise LocalCloudError(f"{method} {url} answered {status}: {json.dumps(content)}")
    return content


def send(method: str, url: str, token: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Send a request and return the answer's status and JSON. Raises `LocalCloudError` unless the answer is JSON."""
    with requests.Session() as http:
        http.trust_env = False  # no proxy to this machine itself
        http.headers["Authorization"] = f"Token {token}"
        try:
            answer = http.request(method, url, json=body, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise LocalCloudError(f"{method} {url} got no answer: {error}") from error
    try:
        return answer.status_code, answer.json()
    except requests.JSONDecodeError as error:
        raise LocalCloudError(f"{method} {url} answered {answer.status_code}: {answer.text}") from error

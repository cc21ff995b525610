"""Requests to the APIs of a running local cloud."""

from typing import Any, Final

import requests

from local.errors import LocalCloudError

TIMEOUT_SECONDS: Final = 30


def call(method: str, url: str, token: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - the answer's JSON
    """Send a request and return the answer's JSON. Raises `LocalCloudError` unless the answer is 200 and JSON."""
    with requests.Session() as http:
        http.trust_env = False  # no proxy to this machine itself
        http.headers["Authorization"] = f"Token {token}"
        try:
            answer = http.request(method, url, json=body, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise LocalCloudError(f"{method} {url} got no answer: {error}") from error
    try:
        content = answer.json()
    except requests.JSONDecodeError:
        content = None
    if answer.status_code != requests.codes.ok or content is None:
        raise LocalCloudError(f"{method} {url} answered {answer.status_code}: {answer.text}")
    return content

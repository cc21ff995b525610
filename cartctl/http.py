"""The HTTP session with which commands send requests to the APIs."""

from typing import Final

import requests

from cartctl.connection import Deployment

TIMEOUT: Final = (5, 30)
"""Seconds to connect, and to wait for an answer (the gateway's own limit is 29)."""
SHOWN_LENGTH: Final = 80
"""The most characters of an unexpected answer that are shown."""


def session(deployment: Deployment) -> requests.Session:
    """Return a session for the APIs of a deployment."""
    http = requests.Session()
    http.trust_env = deployment.endpoint_url is None  # no proxy to this machine itself
    http.auth = lambda request: request  # requests would else replace the header by one from ~/.netrc
    return http

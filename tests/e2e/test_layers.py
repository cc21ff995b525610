"""The built layers: their size, their bytecode, and the pruned botocore as it runs on AWS."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from local import settings
from tools.support.layer_size import LAYERS, size_of_folder

NAMES = ("DependenciesLayer", "ApplicationLayer")

CALL = """
import json, os, sys, time
from types import SimpleNamespace
from botocore.awsrequest import AWSResponse
from serverless_cart.dynamodb.client import connect
from serverless_cart.dynamodb.expression import Expression
from serverless_cart.dynamodb.keys import Key
from serverless_cart.dynamodb.table import ConditionFailed
from serverless_cart.service.errors import Unavailable

time.sleep = lambda _seconds: None
table = connect("table", 1.0, lambda _operation, _milliseconds: None, lambda: None)
sent = []
refused = lambda code, **more: (400, {"__type": "com.amazonaws.dynamodb.v20120810#" + code, **more})
throttled = refused("ThrottlingException")
answers = [throttled, (200, {"Item": {"pk": {"S": "found"}}}),
           refused("ConditionalCheckFailedException", Item={"pk": {"S": "current"}}), *[throttled] * 3]


def answer(request, **_):
    sent.append({"url": request.url, "authorization": request.headers["Authorization"].decode(),
                 "token": request.headers["X-Amz-Security-Token"].decode()})
    status, body = answers.pop(0)
    raw = SimpleNamespace(stream=lambda: iter([json.dumps(body).encode()]))
    return AWSResponse(request.url, status, {}, raw)


table._client.meta.events.register("before-send.dynamodb", answer)
found = table.get(Key("pk", "sk"))
change = Expression()
change.set("a", {"S": "b"})
try:
    table.update(Key("pk", "sk"), change)
except ConditionFailed as failed:
    current = failed.item
try:
    table.get(Key("pk", "sk"))
except Unavailable:
    unavailable = True
import botocore
print(json.dumps({"found": found, "current": current, "unavailable": unavailable, "sent": sent,
                  "from": botocore.__file__}))
"""


@pytest.fixture(scope="module")
def credentials_url() -> Iterator[str]:
    """Serve credentials as Lambda does under SnapStart."""
    keys = {"AccessKeyId": "CONTAINERKEY", "SecretAccessKey": "secret", "Token": "session-token"}
    answer = {**keys, "Expiration": "2100-01-01T00:00:00Z"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers["Authorization"] == "lambda-gave-it"
            self.send_response(200 if allowed else 403)
            self.end_headers()
            self.wfile.write(json.dumps(answer if allowed else {}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer((settings.HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{settings.HOST}:{server.server_port}/credentials"
        server.shutdown()
        thread.join()


def call(region: str, environment: dict[str, str]) -> Any:
    """Call the table from the built layers, in an environment as on Lambda, without a network."""
    path = [str(settings.BUILD / name / "python") for name in reversed(NAMES)]
    done = subprocess.run(  # noqa: S603 - our own code, and no shell
        [str((settings.EMULATOR / "python").resolve()), "-S", "-c", CALL],
        env={
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(path),
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        cwd=settings.BUILD,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.usefixtures("build")
@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "dynamodb.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", "dynamodb.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "dynamodb.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_pruned_client_works_in_every_partition(credentials_url: str, region: str, host: str) -> None:
    served = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": credentials_url,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "lambda-gave-it",
    }
    own = {"AWS_ACCESS_KEY_ID": "OWNKEY", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session-token"}
    for key, credentials in (("CONTAINERKEY", served), ("OWNKEY", own)):
        answered = call(region, credentials)

        assert answered["from"].startswith(str(settings.BUILD))
        assert (answered["found"], answered["current"]) == ({"pk": {"S": "found"}}, {"pk": {"S": "current"}})
        assert answered["unavailable"]
        assert {sent["url"] for sent in answered["sent"]} == {f"https://{host}/"}
        assert all(f"Credential={key}/" in sent["authorization"] for sent in answered["sent"])
        assert all(f"/{region}/dynamodb/aws4_request" in sent["authorization"] for sent in answered["sent"])
        assert {sent["token"] for sent in answered["sent"]} == {"session-token"}
        assert len(answered["sent"]) == 2 + 1 + 3


@pytest.mark.usefixtures("build")
def test_layers_keep_their_size_limit() -> None:
    zipped = {name: size_of_folder(settings.BUILD / name)["zipped"] for name in NAMES}

    assert sum(zipped.values()) <= LAYERS, zipped


@pytest.mark.usefixtures("build")
@pytest.mark.parametrize("name", NAMES)
def test_layer_has_bytecode_of_every_module(name: str) -> None:
    sources = list((settings.BUILD / name).rglob("*.py"))
    version = settings.EMULATOR.joinpath("python").resolve().name.removeprefix("python").replace(".", "")

    assert sources
    bare = [it for it in sources if not (it.parent / "__pycache__" / f"{it.stem}.cpython-{version}.pyc").exists()]
    assert bare == []

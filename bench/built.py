"""The layers and functions that `sam build` creates for this host, copied so that no other build changes them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import deploy, settings
from local.lock import held
from tools.support.template import TEMPLATE, resources_of_type


@contextmanager
def built() -> Iterator[Path]:
    """Build, and yield a folder with a copy of each layer and function, by its name in the template.

    Raises `LocalCloudError`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with held(deploy.LOCK):
            deploy.build("http://127.0.0.1", folder / "build.log")  # no request is sent there
            for name in resources_of_type("AWS::Serverless::LayerVersion"):
                shutil.copytree(settings.BUILD / name, folder / name)
        for name in resources_of_type("AWS::Serverless::Function"):
            source = settings.ROOT / TEMPLATE["Resources"][name]["Properties"]["CodeUri"]
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))  # as git has it
        yield folder

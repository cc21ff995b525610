"""`make build`: builds for two targets in one folder, and what becomes of a layer of another target."""

import io
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Final

import pytest

from cartctl import checks
from cartctl.findings import State
from local import deploy, environment, settings
from local.errors import LocalCloudError
from local.stack import Stack
from tests.support.lambdas import Lambdas
from tests.support.operator import deployment_of
from tools.build import Target
from tools.support.clients import unique

DEFAULT: Final = Target("python3.13", "arm64")
OTHER: Final = Target("python3.12", "x86_64")
PARTS: Final = ("Makefile", "template.yaml", "stacks", "functions", "layers", "tools")
"""What a build reads of the repository."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what a build reads, so that no build of the developer's is replaced."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in PARTS:
        source = settings.ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    return folder


def make_build(checkout: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    """Run `make build` with the pinned SAM CLI."""
    own = environment.of_sam("http://127.0.0.1:1")
    for name in DEFAULT.variables:
        del own[name]
    return subprocess.run(  # noqa: S603 - our own Makefile
        ["make", "build", *variables],  # noqa: S607 - the system's
        cwd=checkout,
        env={**own, "PATH": f"{settings.SAM.parent}{os.pathsep}{own['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def built_for(checkout: Path) -> tuple[str, str]:
    """Return the target that a build's layer says, and that of its only binary of pydantic."""
    site = checkout / ".aws-sam" / "build" / "DependenciesLayer" / "python"
    said = re.findall(r'"(.+)"', (site / "serverless_cart_target.py").read_text())
    (binary,) = site.glob("pydantic_core/_pydantic_core*.so")
    return " ".join(said), binary.name.split(".")[1]


def is_built_for(checkout: Path, target: Target) -> bool:
    return (checkout / ".aws-sam").exists() and built_for(checkout)[0] == " ".join(target)


def test_two_builds_in_one_folder_differ(checkout: Path) -> None:
    first = make_build(checkout)
    assert first.returncode == 0, first.stderr
    assert built_for(checkout) == ("python3.13 arm64", "cpython-313-aarch64-linux-gnu")

    second = make_build(checkout, f"RUNTIME={OTHER.runtime}", f"ARCHITECTURE={OTHER.architecture}")
    assert second.returncode == 0, second.stderr
    assert built_for(checkout) == ("python3.12 x86_64", "cpython-312-x86_64-linux-gnu")
    assert second.stdout.endswith("Built for python3.12 on x86_64\n")

    built = (checkout / ".aws-sam" / "build" / "template.yaml").read_text()
    assert "- python3.12\n      AssertDescription: The layers were built for Runtime=python3.12." in built
    assert (checkout / ".aws-sam" / "build" / "../../functions/cart/app.py").is_file()
    assert "CodeUri: ../../functions/cart\n" in built


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("Runtime", "python3.14" if environment.RUNTIME != "python3.14" else "python3.13"),
        ("Architecture", "arm64" if environment.ARCHITECTURE == "x86_64" else "x86_64"),
    ],
)
def test_deployment_for_another_target_is_refused(stack: Stack, tmp_path: Path, parameter: str, value: str) -> None:
    own = getattr(environment, parameter.upper())

    with pytest.raises(LocalCloudError, match=f"The layers were built for {parameter}={own}\\. Deploy with that"):
        deploy.deploy(stack.endpoint_url, tmp_path / "log", {parameter: value})


def wrong_layer(checkout: Path, lambdas: Lambdas) -> str:
    """Publish the layer that was built last, for another target than this host."""
    archive = io.BytesIO()
    folder = checkout / ".aws-sam" / "build" / "DependenciesLayer"
    with zipfile.ZipFile(archive, "w") as content:
        for file in folder.rglob("*"):
            content.write(file, file.relative_to(folder))
    return lambdas.client.publish_layer_version(LayerName=unique("wrong"), Content={"ZipFile": archive.getvalue()})[
        "LayerVersionArn"
    ]


def test_doctor_reports_a_layer_of_another_target(checkout: Path, lambdas: Lambdas, stack: Stack) -> None:
    target = DEFAULT if Target(environment.RUNTIME, environment.ARCHITECTURE) == OTHER else OTHER
    if not is_built_for(checkout, target):  # by the test before
        built = make_build(checkout, f"RUNTIME={target.runtime}", f"ARCHITECTURE={target.architecture}")
        assert built.returncode == 0, built.stderr
    layer = wrong_layer(checkout, lambdas)

    with lambdas.with_dependencies(layer, "Cart"):
        findings = list(checks.examine(deployment_of(stack)))

    (finding,) = (finding for finding in findings if finding.state is not State.OK)
    running = f"{environment.RUNTIME} {environment.ARCHITECTURE}"
    assert (finding.check, finding.state) == ("functions", State.FAILURE)
    message = f"The layers are built for {' '.join(target)}, and this function runs on {running}."
    assert re.match(rf"CartFunction fails: .*{re.escape(message)}.* make build RUNTIME=", finding.seen)
    assert all(finding.state is State.OK for finding in checks.examine(deployment_of(stack)))

"""deployment/role.yaml: only its environment may assume the role, which can deploy its stack and nothing else."""

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cartctl import app
from cartctl.connection import Deployment
from local import environment, settings
from local.deploy import LOCK, deployed
from local.lock import held
from local.stack import Stack
from tools.support.paths import ROOT

pytestmark = pytest.mark.last(3)  # it deploys a second stack

REPOSITORY, STAGING = "example/shop", "serverless-cart-staging"
HOST = "token.actions.githubusercontent.com"
SUBJECT = f"repo:{REPOSITORY}:environment:staging"
PARAMETERS = {
    "Repository": REPOSITORY,
    "GitHubEnvironment": "staging",
    "Stack": STAGING,
    "GitHubProviderArn": f"arn:aws:iam::000000000000:oidc-provider/{HOST}",  # the emulator cannot create it
}


def identity_token(subject: str, audience: str = "sts.amazonaws.com") -> str:
    """Return a token as GitHub issues it to a job; the emulator does not verify its signature."""
    claims = {"iss": f"https://{HOST}", "aud": audience, "sub": subject}
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims, {})]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def template() -> str:
    """Return the template without a condition whose key the emulator does not know (tests/unit/test_deployment.py)."""
    condition = "                Condition: { StringEquals: { cloudformation:RoleArn: !GetAtt ExecutionRole.Arn } }\n"
    text = (ROOT / "deployment" / "role.yaml").read_text()
    assert condition in text
    return text.replace(condition, "")


class Workflow:
    """The jobs of a repository, and what deployment/role.yaml created for them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.administrator = environment.session()
        cloudformation = self.client(self.administrator, "cloudformation")
        cloudformation.create_stack(
            StackName="deploy-staging",
            TemplateBody=template(),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in PARAMETERS.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName="deploy-staging", WaiterConfig={"Delay": 1})
        (described,) = cloudformation.describe_stacks(StackName="deploy-staging")["Stacks"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        bucket = self.outputs["ArtifactsBucket"]
        self.client(self.administrator, "s3").delete_bucket_policy(Bucket=bucket)  # it refuses requests without TLS

    def client(self, session: boto3.Session, service: str) -> Any:
        return session.client(service, endpoint_url=self.stack.endpoint_url, config=environment.CLIENT)  # type: ignore[call-overload]

    def assume(self, subject: str, audience: str = "sts.amazonaws.com") -> boto3.Session:
        """Return the session of a job with this identity."""
        unsigned = boto3.Session(region_name=self.stack.region)
        sts = unsigned.client(
            "sts", endpoint_url=self.stack.endpoint_url, config=environment.CLIENT.merge(Config(signature_version="v4"))
        )
        keys = sts.assume_role_with_web_identity(
            RoleArn=self.outputs["DeploymentRoleArn"],
            RoleSessionName="job",
            WebIdentityToken=identity_token(subject, audience),
        )["Credentials"]
        return boto3.Session(
            keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=self.stack.region
        )

    def sam(self, session: boto3.Session, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `sam deploy` as the workflow does, with the build of the local cloud."""
        keys = session.get_credentials()
        assert keys
        variables = {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
        command = [
            str(settings.SAM),
            "deploy",
            "--config-file",
            str(ROOT / "samconfig.yaml"),
            "--config-env",
            "staging",
        ]
        command += ["--template-file", str(settings.BUILD / "template.yaml"), "--no-resolve-s3"]
        command += ["--s3-bucket", self.outputs["ArtifactsBucket"], "--no-confirm-changeset", *arguments]
        with held(LOCK):
            return subprocess.run(  # noqa: S603 - SAM itself
                command,
                cwd=ROOT,
                env={**environment.of_sam(self.stack.endpoint_url), **variables, "AWS_SESSION_TOKEN": str(keys.token)},
                capture_output=True,
                text=True,
                check=False,
            )

    def remove(self) -> None:
        cloudformation = self.client(self.administrator, "cloudformation")
        for name in (STAGING, "deploy-staging"):
            cloudformation.delete_stack(StackName=name)
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


@pytest.fixture(scope="module")
def workflow(stack: Stack) -> Iterator[Workflow]:
    workflow = Workflow(stack)
    yield workflow
    workflow.remove()


@pytest.fixture(scope="module")
def job(workflow: Workflow) -> boto3.Session:
    return workflow.assume(SUBJECT)


@pytest.mark.parametrize(
    ("subject", "audience"),
    [
        (f"repo:{REPOSITORY}:environment:prod", "sts.amazonaws.com"),
        (f"repo:{REPOSITORY}:ref:refs/heads/main", "sts.amazonaws.com"),
        ("repo:example/other:environment:staging", "sts.amazonaws.com"),
        (f"{SUBJECT}:job_workflow_ref:other", "sts.amazonaws.com"),
        (SUBJECT, "https://github.com/example"),
    ],
)
def test_other_identities_cannot_assume_the_role(workflow: Workflow, subject: str, audience: str) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        workflow.assume(subject, audience)


def test_role_deploys_its_stack_and_tests_it(
    workflow: Workflow, job: boto3.Session, stack: Stack, tmp_path: Path
) -> None:
    done = workflow.sam(job, "--role-arn", workflow.outputs["ExecutionRoleArn"])
    assert done.returncode == 0, done.stdout + done.stderr

    found = deployed(stack.endpoint_url, STAGING)
    administrator = Deployment(
        workflow.administrator, STAGING, found.table_name, found.search_url, found.shop_url,
        endpoint_url=stack.endpoint_url, management_url=found.management_url,
    )  # fmt: skip
    app.run(["shop", "create", "smoke"], administrator)
    (tmp_path / "products.csv").write_text("id,ref,name,price,stock\n1,TEST,Test,100,5\n")
    app.run(["catalogue", "import", "smoke", str(tmp_path / "products.csv")], administrator)
    findings = app.run(
        ["smoke", "smoke"],
        Deployment(job, STAGING, found.table_name, found.search_url, found.shop_url, endpoint_url=stack.endpoint_url),
    )
    assert {finding["state"] for finding in findings} == {"ok"}


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("cloudformation", "delete_stack", {"StackName": STAGING}),
        ("cloudformation", "describe_stacks", {"StackName": "serverless-cart"}),
        ("cloudformation", "create_stack", {"StackName": "other", "TemplateBody": "{}"}),
        ("iam", "create_user", {"UserName": "intruder"}),
        ("iam", "list_roles", {}),
        ("s3", "list_buckets", {}),
        ("dynamodb", "list_tables", {}),
        ("lambda", "list_functions", {}),
    ],
)
def test_role_does_nothing_else(
    workflow: Workflow, job: boto3.Session, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
        getattr(workflow.client(job, service), operation)(**parameters)


def test_role_deploys_no_other_stack(workflow: Workflow, job: boto3.Session) -> None:
    done = workflow.sam(job, "--stack-name", "serverless-cart", "--role-arn", workflow.outputs["ExecutionRoleArn"])

    assert done.returncode != 0
    assert "not authorized to perform: cloudformation:" in done.stdout + done.stderr

"""The commands of docs/operate.md that put a table back, on a table of the local cloud."""

import gzip
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore import xform_name

from local import environment
from local.stack import Stack
from tests.support import aws_cli, guide
from tools.support.clients import unique
from tools.support.template import TEMPLATE, create_table

ITEM = {"pk": {"S": "SHOPS"}, "sk": {"S": "SHOP#my-shop"}}


class Recovery:
    """An operator who follows a section of the guide, with a table and a bucket of the tests."""

    def __init__(self, stack: Stack) -> None:
        session = environment.session()
        self.database: Any = session.client("dynamodb", endpoint_url=stack.endpoint_url, config=environment.CLIENT)
        self.table, self.restored, self.bucket = unique("table"), unique("restored"), unique("bucket")
        self._s3 = session.client("s3", endpoint_url=stack.endpoint_url, config=environment.CLIENT)
        self._s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        create_table(self.database, self.table)
        self.database.update_continuous_backups(
            TableName=self.table,
            PointInTimeRecoverySpecification=TEMPLATE["Resources"]["Table"]["Properties"][
                "PointInTimeRecoverySpecification"
            ],
        )
        self.database.put_item(TableName=self.table, Item=ITEM)
        self._names = {"TABLE": self.table, "restored": self.restored, "BUCKET": self.bucket}
        self._names |= {"REGION": stack.region, "ACCOUNT": "000000000000"}
        self._arns: dict[str, str] = {}

    def follow(self, heading: str, end: str = "") -> None:
        """Run the commands of a section, up to one that begins with ``end``."""
        script = "".join(guide.blocks("sh", guide.section(heading)))
        files = dict(re.findall(r"^cat > (\S+) <<'JSON'\n(.*?)^JSON$", script, re.MULTILINE | re.DOTALL))
        for command in aws_cli.commands(script):
            if end and command.startswith(end):
                return
            call = aws_cli.parse(self._filled(command))
            assert call
            if call.operation == "ImportTable":
                call.parameters["TableCreationParameters"] = json.loads(self._filled(files["table.json"]))
            self._run(call)

    def _filled(self, text: str) -> str:
        """Return a text with the names and ARNs of this run."""
        text = re.sub(r"\b(?:TABLE|restored|BUCKET|REGION|ACCOUNT)\b", lambda found: self._names[found[0]], text)
        text = re.sub(r"\$\{(\w+)##\*/\}", lambda found: self._arns[found[1]].rpartition("/")[2], text)
        return re.sub(r"\$(\w+)", lambda found: self._arns[found[1]], text)

    def _run(self, call: aws_cli.Call) -> None:
        if call.waiter:
            waiter = self.database.get_waiter(call.waiter.replace("-", "_"))
            waiter.wait(**call.parameters, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
            if call.waiter == "export-completed":
                self._write_export()
            return
        answer = getattr(self.database, xform_name(call.operation))(**call.parameters)
        for name, description, field in (
            ("BACKUP", "BackupDetails", "BackupArn"),
            ("EXPORT", "ExportDescription", "ExportArn"),
            ("IMPORT", "ImportTableDescription", "ImportArn"),
        ):
            if description in answer:
                self._arns[name] = answer[description][field]

    def _write_export(self) -> None:
        """Write the file of the export, in the form and place that AWS documents; the emulator writes none."""
        content = "".join(f"{json.dumps({'Item': item})}\n" for item in self.items(self.table))
        folder = self._arns["EXPORT"].rpartition("/")[2]
        key = f"2026-01-31/AWSDynamoDB/{folder}/data/part.json.gz"
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=gzip.compress(content.encode()))

    def items(self, table: str) -> Any:
        return self.database.scan(TableName=table)["Items"]

    def tables(self) -> set[str]:
        return {self.table, self.restored} & set(self.database.list_tables()["TableNames"])


@pytest.fixture
def recovery(stack: Stack) -> Iterator[Recovery]:
    recovery = Recovery(stack)
    yield recovery
    for table in recovery.tables():
        recovery.database.delete_table(TableName=table)


def test_damaged_table_is_replaced_by_an_earlier_one(recovery: Recovery) -> None:
    recovery.follow("### The data is damaged")

    assert recovery.tables() == {recovery.table}
    assert recovery.items(recovery.table) == [ITEM]


@pytest.mark.parametrize(
    ("heading", "end"),
    [
        ("### Something was deleted", "aws dynamodb delete-table"),
        ("### Data must be kept for longer than 35 days", ""),
    ],
)
def test_second_table_has_the_items(recovery: Recovery, heading: str, end: str) -> None:
    recovery.follow(heading, end)

    assert recovery.items(recovery.restored) == recovery.items(recovery.table) == [ITEM]

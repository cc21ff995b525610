"""The options of commands that import a file."""

from pathlib import Path
from typing import Annotated

import typer

from cartctl.arguments import checked
from cartctl.csv_records import parse_delimiter
from cartctl.errors import CartctlError, ExitCode
from cartctl.file_content import parse_encoding
from cartctl.files import STDIN
from cartctl.row_file import Format

FileName = Annotated[str, typer.Argument(metavar="FILE", help="CSV, JSON Lines or .xlsx; - reads standard input.")]
Form = Annotated[
    Format | None,
    typer.Option("--format", help="Default: detected from the extension or the first character.", show_default=False),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and compare; write nothing.")]
IgnoreUnknown = Annotated[bool, typer.Option("--ignore-unknown", help="Skip unknown columns; the summary lists them.")]
Delimiter = Annotated[
    str | None,
    typer.Option(
        parser=checked(parse_delimiter),
        metavar="CHARACTER",
        help="Delimiter of CSV, as in ';' or tab. Default: detected from the header.",
        show_default=False,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        parser=checked(parse_encoding),
        metavar="NAME",
        help="Encoding of the text, as in cp1252. Default: UTF-8, or UTF-16 by its byte order mark.",
        show_default=False,
    ),
]
Sheet = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Sheet of a workbook. Default: the first visible one.", show_default=False),
]
Errors = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write all bad rows to a JSON Lines file.", show_default=False)
]


def check_errors(errors: Path | None, file: str) -> None:
    """Check that the bad rows do not replace the file that is read. Raises `CartctlError`."""
    if errors and file != STDIN and errors.resolve() == Path(file).resolve():
        raise CartctlError("--errors names the imported file itself: name another file.", ExitCode.USAGE)

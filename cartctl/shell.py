"""What all commands have in common: the options that stand before or after a command, and how each of them ends."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Final

import typer
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    TokenRetrievalError,
)
from typer.core import TyperCommand, TyperGroup

from cartctl import connection
from cartctl.connection import STACK, Deployment
from cartctl.errors import CartctlError, ExitCode
from cartctl.output import Output
from serverless_cart.service.errors import Unavailable

PANEL: Final = "Which deployment, and how to show it"
EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
INVALID: Final = frozenset(
    {"InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException"}
)
DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


@dataclass
class Invocation:
    """One run of cartctl: what was asked of all commands, and what is found by it.

    ``given`` is the deployment of a program that runs a command; nobody looks on then.
    """

    options: dict[str, Any] = field(default_factory=dict)
    given: Deployment | None = None

    @cached_property
    def deployment(self) -> Deployment:
        """The deployment; found when it is first needed."""
        if self.given:
            return self.given
        if self.options.get("local"):
            if clash := [name for name in ("stack", "profile", "region") if self.options.get(name)]:
                raise CartctlError(f"--local is a deployment of its own: leave --{clash[0]} out.", ExitCode.USAGE)
            return connection.on_this_machine()
        return connection.on_aws(
            self.options.get("stack") or STACK, self.options.get("profile"), self.options.get("region")
        )

    @cached_property
    def out(self) -> Output:
        """Where results go."""
        return Output(as_json=bool(self.options.get("json")), quiet=self.given is not None)


def invocation(context: typer.Context) -> Invocation:
    """Return the run of cartctl that a command belongs to."""
    return context.find_root().ensure_object(Invocation)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is destroyed. Raises `CartctlError` where nobody can be asked, or where the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CartctlError(f"{question} Nobody is there to ask: confirm with --yes.", ExitCode.USAGE)
    if not typer.confirm(question, err=True):
        raise CartctlError("Nothing was done.")


class Command(TyperCommand):
    """A command that takes the common options, and that gives every failure its one line."""

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401 - Typer's own
        """Add the common options behind the command's own."""
        super().__init__(*args, **settings)
        self.params += _common_options()

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's own
        """Run it. Raises `CartctlError`."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise CartctlError("Interrupted.", ExitCode.INTERRUPTED) from None
        except Unavailable as error:
            if isinstance(error.__cause__, EndpointConnectionError):
                raise CartctlError(explained(error.__cause__)) from error
            raise CartctlError("DynamoDB throttles or does not answer: run the same command again.") from error
        except (ClientError, BotoCoreError) as error:
            raise CartctlError(explained(error)) from error


class Group(TyperGroup):
    """A group of commands, before which the common options may stand too."""

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401 - Typer's own
        """Add the common options."""
        super().__init__(*args, **settings)
        self.params += _common_options()


class App(typer.Typer):
    """A Typer whose commands are `Command`s."""

    def __init__(self, help: str, **settings: Any) -> None:  # noqa: A002, ANN401 - Typer's own names
        """``help`` says what the commands are for."""
        super().__init__(
            help=help,
            cls=Group,
            no_args_is_help=True,
            rich_markup_mode="markdown",
            pretty_exceptions_enable=False,
            **settings,
        )

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - Typer's own
        """Add a command."""
        return super().command(name, cls=Command, **settings)


def _remember(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> Any:  # noqa: ANN401 - an option's
    """Keep what was said of a common option, wherever it stood; the later place counts."""
    if parameter.name and value and not context.resilient_parsing:
        invocation(context).options[parameter.name] = value
    return value


def _common(name: str, help_: str, envvar: str | None = None) -> Any:  # noqa: ANN401 - Typer's own
    """Describe an option that every command takes."""
    return typer.Option(
        f"--{name}", help=help_, envvar=envvar, callback=_remember, expose_value=False, rich_help_panel=PANEL
    )


def _common_options() -> list[Any]:
    """Make the options that every command takes."""
    app = typer.Typer(add_completion=False)

    @app.command()
    def options(
        *,
        local: Annotated[bool, _common("local", "The local cloud that make start or make up runs.")] = False,
        stack: Annotated[str, _common("stack", f"Stack on AWS; {STACK} unless told.", "CARTCTL_STACK")] = "",
        profile: Annotated[str, _common("profile", "AWS profile; else the ordinary chain of credentials.")] = "",
        region: Annotated[str, _common("region", "AWS region; else the profile's.")] = "",
        json: Annotated[bool, _common("json", "Show the result as JSON.")] = False,
    ) -> None:
        """Take the options that every command takes."""

    return typer.main.get_command(app).params


def explained(error: ClientError | BotoCoreError) -> str:
    """Say in one line why AWS refused, and what to do."""
    match error:
        case NoCredentialsError() | TokenRetrievalError():
            said = "There are no valid AWS credentials: run aws configure (or aws sso login), or name a --profile."
        case NoRegionError():
            said = "No AWS region is set: name one with --region."
        case EndpointConnectionError():
            where = error.kwargs["endpoint_url"]
            said = f"Nothing answers at {where}: check the network and --region; for the local cloud, make up."
        case ClientError():
            said = _refused(error.operation_name, **error.response["Error"])
        case _:
            said = str(error)
    return " ".join(said.split())


def _refused(operation: str, Code: str, Message: str = "", **_: object) -> str:  # noqa: N803 - AWS's own names
    """Say why AWS refused a call, and what to do."""
    if Code in EXPIRED:
        return "The AWS credentials have expired: renew them (aws sso login), or name another --profile."
    if Code in INVALID:
        return f"AWS refuses the credentials: name another --profile, or set this machine's clock. It says: {Message}"
    if Code in DENIED:
        return f"You are not allowed to call {operation}: docs/operate.md has the policies. AWS says: {Message}"
    return f"{operation} failed with {Code}: {Message}"

"""Common to all commands: the options that are accepted before and after a command, and the handling of errors."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
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
from cartctl.terminal import ask, unguarded, writing
from serverless_cart.service.errors import Unavailable

PANEL: Final = "Deployment and output"
EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
INVALID: Final = frozenset(
    {"InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException"}
)
DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


@dataclass
class Invocation:
    """One run of cartctl: the values of the common options, and the deployment and output that they select.

    A program that runs a command (`cartctl.app.run`) passes the deployment as ``given``, and gets no status messages.
    """

    options: dict[str, Any] = field(default_factory=dict)
    given: Deployment | None = None

    @cached_property
    def deployment(self) -> Deployment:
        """The deployment, found at first use."""
        if self.given:
            return self.given
        if self.options.get("local"):
            if clash := [name for name in ("stack", "profile", "region") if self.options.get(name)]:
                raise CartctlError(f"--local cannot be combined with --{clash[0]}: remove one of them.", ExitCode.USAGE)
            return connection.on_this_machine()
        return connection.on_aws(
            self.options.get("stack") or STACK, self.options.get("profile"), self.options.get("region")
        )

    @cached_property
    def out(self) -> Output:
        """The output."""
        return Output(as_json=bool(self.options.get("json")), quiet=self.given is not None)


def invocation(context: typer.Context) -> Invocation:
    """Return the invocation that a command belongs to."""
    return context.find_root().ensure_object(Invocation)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before data is deleted. Raises `CartctlError` if the answer is no or there is no terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CartctlError(f"{question} Cannot ask without a terminal: pass --yes to confirm.", ExitCode.USAGE)
    if not ask(question):
        raise CartctlError("Cancelled; nothing was changed.")


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does, in order. A signal that is ignored stays ignored."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signals = [signal.SIGTERM, signal.SIGHUP] if hasattr(signal, "SIGHUP") else [signal.SIGTERM]
    if threading.current_thread() is not threading.main_thread():  # only the main thread gets signals
        signals = []
    changed = [number for number in signals if signal.getsignal(number) is signal.SIG_DFL]
    for number in changed:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def resumable(done: Callable[[], str], *stops: type[Exception]) -> Iterator[None]:
    """Report what is ``done`` after an interruption, if the database fails, or after one of the ``stops``.

    Raises `CartctlError`; for ``stops`` with their own text.
    """

    def stopped(reason: str, code: ExitCode = ExitCode.FAILED) -> CartctlError:
        return CartctlError(f"{reason}: {done()}. Run the same command again to continue.", code)

    with interrupted_by_signals():
        try:
            yield
        except KeyboardInterrupt:
            raise stopped("Interrupted", ExitCode.INTERRUPTED) from None
        except stops as error:
            raise stopped(str(error)) from error
        except Unavailable as error:
            raise stopped("DynamoDB throttles or does not answer") from error


class Helpful:
    """Prints help with the colours of Typer; it contains no text from outside."""

    def format_help(self, *args: Any) -> None:  # noqa: ANN401 - Typer's own
        """Print the help."""
        with writing("the help"), redirect_stdout(unguarded(sys.stdout)):
            super().format_help(*args)  # type: ignore[misc] # of the Typer class that it is combined with


class Command(Helpful, TyperCommand):
    """A command with the common options, whose failures are one line each."""

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401 - Typer's own
        super().__init__(*args, **settings)
        self.params += _common_options()

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's own
        """Run the command. Raises `CartctlError`."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise CartctlError("Interrupted: run the same command again to continue.", ExitCode.INTERRUPTED) from None
        except Unavailable as error:
            if isinstance(error.__cause__, EndpointConnectionError):
                raise CartctlError(explain(error.__cause__)) from error
            raise CartctlError("DynamoDB throttles or does not answer: run the same command again.") from error
        except (ClientError, BotoCoreError) as error:
            raise CartctlError(explain(error)) from error


class Group(Helpful, TyperGroup):
    """A group of commands that accepts the common options before the command."""

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401 - Typer's own
        super().__init__(*args, **settings)
        self.params += _common_options()


class App(typer.Typer):
    """A Typer whose commands are `Command`s."""

    def __init__(self, help: str, **settings: Any) -> None:  # noqa: A002, ANN401 - Typer's own names
        super().__init__(
            help=help,
            cls=Group,
            no_args_is_help=True,
            rich_markup_mode="markdown",
            pretty_exceptions_enable=False,
            **settings,
        )

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - Typer's own
        """Register a command."""
        return super().command(name, cls=Command, **settings)


def _remember(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> Any:  # noqa: ANN401 - an option's
    # Called for each place of an option, from left to right: the last one wins.
    if parameter.name and value and not context.resilient_parsing:
        invocation(context).options[parameter.name] = value
    return value


def _common(name: str, help_: str, envvar: str | None = None) -> Any:  # noqa: ANN401 - Typer's own
    return typer.Option(
        f"--{name}", help=help_, envvar=envvar, callback=_remember, expose_value=False, rich_help_panel=PANEL
    )


def _common_options() -> list[Any]:
    # Typer builds an option only from a function's signature, so a throw-away app declares them.
    app = typer.Typer(add_completion=False)

    @app.command()
    def options(
        *,
        local: Annotated[bool, _common("local", "Use the local cloud of make start or make up.")] = False,
        stack: Annotated[str, _common("stack", f"Name of the AWS stack. Default: {STACK}.", "CARTCTL_STACK")] = "",
        profile: Annotated[str, _common("profile", "AWS profile. Default: the AWS credential chain.")] = "",
        region: Annotated[str, _common("region", "AWS region. Default: the profile's region.")] = "",
        json: Annotated[bool, _common("json", "Print the result as JSON.")] = False,
    ) -> None:
        pass

    return typer.main.get_command(app).params


def explain(error: ClientError | BotoCoreError) -> str:
    """Return one line with the reason of an AWS error and what to do."""
    match error:
        case NoCredentialsError() | TokenRetrievalError():
            message = "No valid AWS credentials: run aws configure or aws sso login, or pass --profile."
        case NoRegionError():
            message = "No AWS region is set: pass --region."
        case EndpointConnectionError():
            url = error.kwargs["endpoint_url"]
            message = f"No answer from {url}: check the network and --region; for the local cloud, run make up."
        case ClientError():
            message = _explain_refusal(error.operation_name, **error.response["Error"])
        case _:
            message = str(error)
    return " ".join(message.split())


def _explain_refusal(operation: str, Code: str, Message: str = "", **_: object) -> str:  # noqa: N803 - AWS's own names
    if Code in EXPIRED:
        return "The AWS credentials have expired: renew them (aws sso login), or pass another --profile."
    if Code in INVALID:
        return f"AWS rejects the credentials: pass another --profile, or set this machine's clock. AWS says: {Message}"
    if Code in DENIED:
        return f"You are not allowed to call {operation}: see the policies in docs/operate.md. AWS says: {Message}"
    return f"{operation} failed with {Code}: {Message}"

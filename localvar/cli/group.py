# SPDX-License-Identifier: GPL-2.0-or-later
"""The command group: commands are imported when they are called, failures become diagnostics and exit statuses."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence

import click

from localvar import __version__
from localvar.cli.report import Reporter
from localvar.diagnostics import Exit, Failure, environment_failure


class LazyGroup(click.Group):
    """A group that knows its commands' names and help lines without importing them."""

    def __init__(self, commands: Mapping[str, tuple[str, str]]) -> None:
        super().__init__("localvar", help="Local variables of the kernel in probe handlers written in ordinary C.",
                         context_settings={"help_option_names": ["-h", "--help"]})
        self._known = commands
        self.params.append(click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False,
                                        callback=_print_version, help="Print the version."))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the help."""
        return list(self._known)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in self._known:
            return None
        module = importlib.import_module(self._known[cmd_name][0])
        command = getattr(module, cmd_name if cmd_name not in _RESERVED else f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that args name; a usage error with close names where there is none."""
        if args and not args[0].startswith("-") and args[0] not in self._known:
            import difflib

            close = difflib.get_close_matches(args[0], self._known, 1)
            ctx.fail(f"no command '{args[0]}'" + (f"; did you mean {close[0]}?" if close else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, none of them imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._known.items()])


_RESERVED = frozenset({"vars", "type"})


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"localvar {__version__}")
        ctx.exit()


def run(group: click.Group, arguments: Sequence[str]) -> int:
    """Run a command line; what follows `--` is handed to the command as ctx.obj (compiler flags).  Never raises but for
    what LOCALVAR_DEBUG asks to see."""
    own, flags = list(arguments), None
    if "--" in own and own[:1] == ["expand"]:
        at = own.index("--")
        own, flags = own[:at], tuple(own[at + 1 :])
    Reporter.current = Reporter(color=sys.stderr.isatty(), as_json="--json" in own)
    try:
        status = _status(lambda: _invoke(group, own, flags))
        Reporter.current.finish()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.ENVIRONMENT
    except OSError as problem:
        print(f"localvar: error: standard output: {problem.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.ENVIRONMENT
    return status


def _invoke(group: click.Group, arguments: Sequence[str], flags: tuple[str, ...] | None) -> object:
    """What the command returns.  Not through click's main(), which has its own mind of errors and exit statuses."""
    with group.make_context("localvar", list(arguments), obj=flags) as context:
        return group.invoke(context)


def _status(command: Callable[[], object]) -> int:
    """The exit status of a command that is called here; what it raises is reported."""
    try:
        status = command()
        return status if isinstance(status, int) else Exit.DONE
    except Failure as failure:
        return _fail(failure)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        return Exit.ENVIRONMENT
    except click.ClickException as problem:
        return _usage(problem)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise
    except Exception as problem:
        if os.environ.get("LOCALVAR_DEBUG"):
            raise
        if isinstance(problem, OSError) and problem.strerror:
            what = f"{problem.filename}: " if problem.filename else ""
            return _fail(environment_failure("system", f"{what}{problem.strerror}"))
        return _fail(environment_failure("internal", f"internal error: {type(problem).__name__}: {problem}",
                                         fix="run again with LOCALVAR_DEBUG=1 in the environment and report what it prints"))


def _usage(problem: click.ClickException) -> int:
    context = problem.ctx if isinstance(problem, click.UsageError) else None
    if type(problem).__name__ == "NoArgsIsHelpError":
        problem.show()
        return Exit.ENVIRONMENT
    name = context.command_path if context else "localvar"
    message = problem.format_message().rstrip(".")
    return _fail(environment_failure("usage", message[:1].lower() + message[1:], fix=f"{name} --help says what can be given"))


def _fail(failure: Failure) -> int:
    Reporter.current.show(failure.diagnostics)
    return int(failure.status)

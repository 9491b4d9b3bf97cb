"""The command line: one thin file a verb. What is heavy is imported by the verb that needs it."""

import os
import sys
import warnings
from typing import Annotated

import typer

from mezzotint import __version__
from mezzotint.cli.bench import bench
from mezzotint.cli.convert import convert
from mezzotint.cli.edit import edit
from mezzotint.cli.eval import evaluate
from mezzotint.cli.generate import generate
from mezzotint.cli.inspect import inspect
from mezzotint.cli.lab import lab
from mezzotint.cli.lora import app as lora
from mezzotint.cli.models import models
from mezzotint.cli.train import train
from mezzotint.cli.world import world
from mezzotint.errors import InputError

app = typer.Typer(
    name="mezzotint",
    help="Pictures from words, by a latent diffusion model that you can read and train.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for verb in (generate, edit, lab, train, world, inspect, convert, models, bench):
    app.command()(verb)
app.add_typer(lora, name="lora")
app.command("eval")(evaluate)  # whose name is python's own


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Answer `--version`."""
    if show:
        print(f"mezzotint {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line.

    Exit status: 0, done; 2, bad input, said in one line on stderr; 130, stopped by Ctrl-C.
    """
    warnings.showwarning = _say_warning
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
    except InputError as error:
        _say("error", error)
        status = 2
    except typer.TyperException as error:
        if message := error.format_message():  # none where the help was the answer
            _say("error", message)
        status = error.exit_code
    except BrokenPipeError:  # the reader has left: nothing more to say, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


def _say_warning(message: Warning | str, *_place: object, **_line: object) -> None:
    _say("warning", message)


def _say(kind: str, message: object) -> None:
    print(f"{kind}: {' '.join(str(message).split())}", file=sys.stderr)

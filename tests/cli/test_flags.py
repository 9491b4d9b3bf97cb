"""Dataclasses whose fields are options."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest
from typer import Argument, Option, Typer
from typer.testing import CliRunner

from mezzotint.cli import app
from mezzotint.cli.flags import flags


@dataclass(frozen=True)
class Brush:
    size: Annotated[int, Option(help="In pixels.")] = 3
    soft: Annotated[bool, Option("--soft", help="Without an edge.")] = False


@dataclass(frozen=True)
class Paint:
    PANEL: ClassVar = "Paint box"

    colours: Annotated[list[str] | None, Option("--colour")] = None


@pytest.fixture
def heard():
    told = []
    verbs = Typer()

    @verbs.command()
    @flags
    def stroke(
        where: Annotated[str, Argument()], brush: Brush, times: int = 1, *, paint: Paint
    ) -> None:
        """Paint a stroke."""
        told.append((where, brush, times, paint))

    def run(*words: str):
        return CliRunner().invoke(verbs, words), told

    return run


def test_each_field_is_an_option(heard):
    ran, told = heard("left", "--size", "5", "--soft", "--colour", "red", "--colour", "blue")
    assert ran.exit_code == 0, ran.output
    assert told == [("left", Brush(5, True), 1, Paint(["red", "blue"]))]


def test_what_is_not_said_is_the_fields_default(heard):
    ran, told = heard("left", "--times", "2")
    assert ran.exit_code == 0, ran.output
    ((where, brush, times, paint),) = told
    assert (where, brush, times) == ("left", Brush(), 2)
    assert not paint.colours


@pytest.mark.parametrize("words", [("left", "--size", "wide"), ("left", "--hard"), ()])
def test_what_is_no_option_is_refused(heard, words: tuple[str, ...]):
    ran, told = heard(*words)
    assert ran.exit_code == 2
    assert not told


def test_the_help_has_them_where_the_verb_takes_them(heard):
    ran, _ = heard("--help")
    places = [ran.output.index(name) for name in ("--size", "--soft", "--times", "--colour")]
    assert places == sorted(places)
    assert "Paint a stroke." in ran.output
    assert places[-2] < ran.output.index("Paint box") < places[-1]
    assert "In pixels." in ran.output


def test_what_draws_and_what_edits_are_told_alike():
    """Whatever can be said of a picture can be said of a changed one."""

    def options(verb: str) -> set[str]:
        (command,) = (each for each in app.registered_commands if each.callback.__name__ == verb)
        return set(command.callback.__annotations__) - {"prompt"}

    assert options("generate") < options("edit")
    assert {"control", "lora", "saving"} < options("generate")
    assert options("edit") - options("generate") >= {"image", "mask", "strength"}

"""The questions: a file for each lesson, five in each, with a reason for every answer."""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mezzotint.lab.lessons.check.numbers import numbers

FOLDER = Path(__file__).parent / "questions"
ORDER = (
    *("dissolve", "emerge", "trick", "latents", "text", "guidance", "samplers", "steering"),
    *("kinds", "wild", "production"),
)


@dataclass(frozen=True)
class Answer:
    """An answer to choose: what it says, whether it is right, and why or why not."""

    says: str
    right: bool
    why: str


@dataclass(frozen=True)
class Question:
    """A question.

    Attributes:
        name: what its score is kept by; another question has another.
        asks: its words.
        answers: in an order that tells nothing, and always the same.
    """

    name: str
    asks: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Set:
    """The questions of a lesson."""

    slug: str
    title: str
    questions: tuple[Question, ...]


def sets() -> list[Set]:
    """All questions, in the order of the lessons, with the numbers in them computed."""
    return [_set(slug, tomllib.loads((FOLDER / f"{slug}.toml").read_text())) for slug in ORDER]


def _set(slug: str, table: dict[str, Any]) -> Set:
    return Set(slug, table["title"], tuple(_question(each) for each in table["question"]))


def _question(table: dict[str, Any]) -> Question:
    answers = [Answer(_filled(table["right"]), True, _filled(table["because"]))]
    answers += [Answer(_filled(w["says"]), False, _filled(w["why"])) for w in table["wrong"]]
    shuffled = sorted(answers, key=lambda answer: _hash(table["asks"] + answer.says))
    return Question(_hash(table["asks"])[:8], _filled(table["asks"]), tuple(shuffled))


def _filled(text: str) -> str:
    return text.format_map(numbers())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

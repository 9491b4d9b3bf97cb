"""English plurals, by rule."""

import re
from collections.abc import Mapping

_RULES = (
    (re.compile(r"(?<=fish|deer|heep)$"), ""),
    (re.compile(r"(?<=m)an$"), "en"),
    (re.compile(r"((?<=[eo]a)|(?<=[lr]))f$|(?<=i)fe$"), "ves"),
    (re.compile(r"(?<=[^aeiou])y$"), "ies"),
    (re.compile(r"(?<=[sxz])$|(?<=[cs]h)$"), "es"),
    (re.compile(r"$"), "s"),
)
"""The first that fits: fish, snowmen, wolves and knives, cherries, foxes, cats."""


def pluralised(phrase: str, irregular: Mapping[str, str]) -> str:
    """The plural of a noun phrase, whose head is its last word, or the one before *of*.

    ``irregular`` gives the plurals of words and phrases that follow no rule.
    """
    if phrase in irregular:
        return irregular[phrase]
    noun, of, rest = phrase.partition(" of ")
    before, space, head = noun.rpartition(" ")
    return before + space + (irregular.get(head) or _regular(head)) + of + rest


def _regular(word: str) -> str:
    ending, plural = next(rule for rule in _RULES if rule[0].search(word))
    return ending.sub(plural, word, count=1)

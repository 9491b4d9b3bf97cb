"""What was made one's own from a few pictures: is it there, where it is asked to be, and what did
the model lose for it?

Subject fidelity is CLIP-I (Ruiz et al. 2208.12242, section 4), to a true picture of the character
in the very place and light that the prompt names: so what the place has in common with itself is
in the ceiling and in the floor too, and only the character between them.
"""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch
from PIL import Image
from torch import Tensor

from mezzotint.errors import InputError, choose, unknown
from mezzotint.evals.asking import Ask, Wanted, each_fulfilled
from mezzotint.evals.features import Features, extract
from mezzotint.evals.judge import Judge
from mezzotint.evals.skills import GROUNDS, Prompt
from mezzotint.evals.steering.estimate import gap, mean, ratio, share
from mezzotint.evals.steering.findings import Captioned, Finding, Section, rows
from mezzotint.evals.steering.likeness import cosines
from mezzotint.evals.steering.truth import painted
from mezzotint.evals.wording import HOURS_SAID, STYLES_SAID, a, where
from mezzotint.specs import replaced
from mezzotint.world.compose import Item, compose
from mezzotint.world.scene import STYLES, Hour, Place, Scene, Style
from mezzotint.world.things import CORE, KINDS
from mezzotint.world.views import CHARACTERS

Method = Literal["dreambooth", "lora", "textual-inversion"]
METHODS: tuple[Method, ...] = get_args(Method)
KEPT = 0.8  # of what an adapter does alone, beside another
FIRST_SEED, APART = 1_800_000_000, 1_000_000


@dataclass(frozen=True)
class Personal:
    """An adapter that was trained on a few pictures, as a list of such names it.

    Attributes:
        name: what the report calls it.
        method: how it was trained.
        prior: whether with pictures of the rest of its class.
        file: it, from the list's folder if it is not absolute.
        word: what its prompts say: "sks llama"; an embedding's own name.
        character: the kind that its pictures show, or "" if it is a style that it has learned.
        kin: the kind, of those that the model draws, whose class a character is of.
        style: that style of the world, or "".
        minutes: how long it took to train; 0 if nobody knows.
    """

    name: str
    method: Method
    prior: bool
    file: str
    word: str
    character: str
    kin: str
    style: str
    minutes: float


@dataclass(frozen=True)
class Listed:
    """What a list names: adapters, and pairs of them, by name, that are stacked."""

    adapters: tuple[Personal, ...]
    stacked: tuple[tuple[Personal, Personal], ...]


_BLANK = Personal("", "lora", False, "", "", "", "", "", 0.0)


def read_list(path: Path) -> Listed:
    """The list in a TOML file: tables ``[[adapter]]``, and ``[[stacked]]`` with ``of = [A, B]``.

    Raises:
        InputError: it cannot be read, an adapter lacks something or says what cannot be, or a pair
            names none of them.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    adapters = [_personal(each, path) for each in table.get("adapter", [])]
    by_name = {each.name: each for each in adapters}
    pairs: list[tuple[Personal, Personal]] = []
    for each in table.get("stacked", []):
        names: list[str] = each.get("of", [])
        if len(names) != 2:
            raise InputError(f"{path}: stacked: give of = [A, B], two names of adapters")
        first, second = (choose(f"adapter of {path}", name, by_name) for name in names)
        pairs.append((first, second))
    return Listed(tuple(adapters), tuple(pairs))


def _personal(table: dict[str, Any], path: Path) -> Personal:
    made = replaced(_BLANK, table, f"{path}: adapter {table.get('name', '')!r}")
    what = f"{path}: adapter {made.name!r}"
    for name in ("name", "file", "word", *(["kin"] if made.character else [])):
        if not getattr(made, name):
            raise InputError(f"{what} has no {name}: give one")
    if (made.character in KINDS) == (made.style in STYLES):
        raise InputError(f"{what}: give a character or a style of the world, one of the two")
    if made.kin and made.kin not in CORE:
        raise unknown(f"kin of {what},", made.kin, CORE)
    return replace(made, file=str(path.parent / made.file))


@dataclass(frozen=True)
class Setting:
    """A place, a light and perhaps a style that something is asked for in."""

    place: Place
    hour: Hour
    style: Style | None
    seed: int

    @property
    def ask(self) -> Ask:
        """What a picture has to fulfil."""
        return Ask(place=self.place, hour=self.hour, style=self.style)

    def asking(self, kind: str) -> Ask:
        """What a picture of a kind in this setting has to fulfil."""
        return replace(self.ask, things=(Wanted(kind),))

    @property
    def said(self) -> str:
        """The words for it."""
        ending = f", {STYLES_SAID[self.style]}" if self.style else ""
        return where(self.place, self.hour) + ending

    def scene(self, kind: str, again: bool = False) -> Scene:
        """A true scene of a kind alone in this setting, or another one."""
        return compose(
            self.seed + again * APART,
            [Item(kind, size="medium" if again else "large")],
            place=self.place,
            hour=self.hour,
            style=self.style or STYLES[0],
        )


Drawing = Callable[[str, int], Image.Image]
"""Draws a prompt with a seed."""


def settings(count: int, styled: bool = True) -> list[Setting]:
    """``count`` settings; every third one names a style, if ``styled``."""
    hours, styles = list(HOURS_SAID), list(STYLES_SAID)
    return [
        Setting(
            place=GROUNDS[k % len(GROUNDS)],
            hour=hours[k % len(hours)],
            style=styles[k // 3 % len(styles)] if styled and k % 3 == 2 else None,
            seed=FIRST_SEED + k,
        )
        for k in range(count)
    ]


@dataclass(frozen=True)
class Fidelity:
    """How much drawn characters are the character, a number a setting.

    Attributes:
        found: CLIP-I to the true picture.
        ceiling: of another true picture of the character.
        floor: of true pictures of other characters, the mean.
        right: whether no other character's true picture is nearer.
        true_right: the same of another true picture.
    """

    found: list[float]
    ceiling: list[float]
    floor: list[float]
    right: list[bool]
    true_right: list[bool]

    @property
    def above(self) -> list[float]:
        """How far it is from the floor to the ceiling: 0 is another character, 1 is the true."""
        high, low = (sum(each) / len(each) for each in (self.ceiling, self.floor))
        return [(one - low) / max(high - low, 1e-9) for one in self.found]


def fidelity(
    features: Features,
    character: str,
    asked: Sequence[Setting],
    drawn: Sequence[Image.Image],
    size: int,
) -> Fidelity:
    """Compare pictures of a character, one a setting, with true ones of it and of the others."""
    others = [name for name in CHARACTERS if name != character]

    def vectors(name: str, again: bool = False) -> Tensor:
        return extract(features, [painted(each.scene(name, again), size) for each in asked])

    seen, again, own = extract(features, drawn), vectors(character, again=True), vectors(character)
    strange = [vectors(name) for name in others]
    near, ceiling = cosines(seen, own), cosines(again, own)
    floor = torch.tensor([cosines(each, own) for each in strange]).mean(0).tolist()

    def right(some: Tensor, likeness: list[float]) -> list[bool]:
        nearest = torch.tensor([cosines(some, each) for each in strange]).amax(0).tolist()
        return [one > other for one, other in zip(likeness, nearest, strict=True)]

    return Fidelity(near, ceiling, floor, right(seen, near), right(again, ceiling))


def personalised(
    adapter: Personal,
    draw: Drawing,
    base: Drawing,
    features: Features,
    judge: Judge,
    asked: Sequence[Setting],
    rest: Sequence[Prompt],
    size: int,
) -> Section:
    """Draw a character with its adapter, and its kin and other things with it and without.

    Args:
        adapter: of a character.
        draw: with the adapter.
        base: without it.
        features: what pictures are compared in.
        judge: says what they show.
        asked: settings for the character.
        rest: prompts of other things.
        size: of the pictures, along a side.
    """
    texts = [f"{adapter.word} {each.said}" for each in asked]
    drawn = [draw(text, each.seed) for text, each in zip(texts, asked, strict=True)]
    like = fidelity(features, adapter.character, asked, drawn, size)
    true = [painted(each.scene(adapter.character), size) for each in asked]
    asks = [each.ask for each in asked]
    told, best = (each_fulfilled(asks, judge.see(some)) for some in (drawn, true))
    class_ = [
        (f"{a(adapter.kin)} {each.said}", each.seed, each.asking(adapter.kin)) for each in asked
    ]
    others = [(each.text, each.seed, each.ask) for each in rest]
    findings = (
        Finding(
            "subject fidelity",
            mean(like.found),
            ceiling=mean(like.ceiling).value,
            floor=mean(like.floor).value,
        ),
        Finding(
            "recognised",
            share(like.right),
            ceiling=share(like.true_right).value,
            floor=1 / len(CHARACTERS),
            percent=True,
        ),
        Finding("prompt fidelity", share(told), ceiling=share(best).value, percent=True),
        *_drift("its class", class_, draw, base, features, judge),
        *_drift("the rest", others, draw, base, features, judge),
    )
    shown = rows(
        [(one, "a true one") for one in true],
        [(one, text) for one, text in zip(drawn, texts, strict=True)],
    )
    return Section(adapter.name, _note(adapter), findings, shown)


def _drift(
    name: str,
    asked: Sequence[tuple[str, int, Ask]],
    draw: Drawing,
    base: Drawing,
    features: Features,
    judge: Judge,
) -> tuple[Finding, Finding]:
    """How much less a model draws what prompts ask for, and how near its pictures still are.

    Args:
        name: of what is asked for.
        asked: prompts, their seeds, and what fulfils them.
        draw: with an adapter.
        base: without it.
        features: what pictures are compared in.
        judge: says what they show.
    """
    with_it, without = ([by(text, seed) for text, seed, _ in asked] for by in (draw, base))
    asks = [ask for _, _, ask in asked]
    right, before = (each_fulfilled(asks, judge.see(some)) for some in (with_it, without))
    same = cosines(extract(features, with_it), extract(features, without))
    return (
        Finding(f"{name}: accuracy lost", gap(right, before), percent=True),
        Finding(f"{name}: likeness kept", mean(same)),
    )


def stacked(
    pair: tuple[Personal, Personal],
    draw: Callable[[Sequence[Personal], str, int], Image.Image],
    features: Features,
    judge: Judge,
    asked: Sequence[Setting],
    size: int,
) -> Section:
    """Draw with each of two adapters alone and with both, and see what is left of each's effect.

    A style is said after a character, in one prompt; two characters are drawn one after the other.
    A character in a style is compared with true pictures in that style.
    """
    findings: list[Finding] = []
    shown: list[list[Captioned]] = []
    for one in pair:
        scores: list[list[float]] = []
        for worn in ((one,), pair):
            texts = [_said(one, pair, worn, each) for each in asked]
            drawn = [draw(worn, text, each.seed) for text, each in zip(texts, asked, strict=True)]
            scores.append(_effect(one, worn, drawn, features, judge, asked, size))
            shown.append([(image, " and ".join(each.name for each in worn)) for image in drawn])
        alone, both = scores
        if sum(alone) <= 0:
            continue  # nothing to keep
        kept = f"{one.name}: kept beside the other"
        findings.append(Finding(kept, ratio(both, alone), KEPT, percent=True))
        findings.append(Finding(f"{one.name}: alone", mean(alone)))
    names = " and ".join(one.name for one in pair)
    note = f"{len(asked)} settings, with each of {names} alone and with both."
    if not findings:
        note = f"{names}: neither does anything alone"
    return Section(f"stacked: {names}", note, tuple(findings), rows(*shown[:3]))


def _said(one: Personal, pair: Sequence[Personal], worn: Sequence[Personal], where: Setting) -> str:
    """The prompt for ``one``: a style is asked for on the character of the pair, if it has one."""
    subject = one if one.character else next((each for each in pair if each.character), None)
    styles = [each.word for each in (worn if one.character else pair) if each.style]
    return ", ".join([f"{subject.word} {where.said}" if subject else where.said, *styles])


def _effect(
    one: Personal,
    worn: Sequence[Personal],
    drawn: Sequence[Image.Image],
    features: Features,
    judge: Judge,
    asked: Sequence[Setting],
    size: int,
) -> list[float]:
    """What an adapter did, a number a setting: 0 is nothing, 1 is what a true picture has."""
    if one.style:
        return [float(seen.style == one.style) for seen in judge.see(drawn)]
    style = next((each.style for each in worn if each.style), None)
    there = [replace(each, style=cast("Style | None", style)) for each in asked]
    return fidelity(features, one.character, there, drawn, size).above


def _note(adapter: Personal) -> str:
    prior = "with" if adapter.prior else "without"
    taken = f", {adapter.minutes:.1f} min" if adapter.minutes else ""
    place = Path(adapter.file)
    weight = f", {place.stat().st_size / 2**20:.2f} MB" if place.is_file() else ""
    return f"{adapter.method}, {prior} prior preservation{taken}{weight}"

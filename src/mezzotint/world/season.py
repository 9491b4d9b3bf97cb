"""What the seasons do to green land."""

from dataclasses import dataclass

from mezzotint.world.scene import Season


@dataclass(frozen=True)
class Palette:
    """Colours of land: each a code, or a pair from top to bottom; crowns are several trees'."""

    grass: tuple[str, str]
    hill: str
    woods: str
    crowns: tuple[tuple[str, str], ...]
    pine: tuple[str, str]
    bush: tuple[str, str]
    flowers: tuple[str, ...]
    petals: int
    snow: bool = False


PALETTES: dict[Season, Palette] = {
    "spring": Palette(
        grass=("a8e06a", "74c455"),
        hill="bfe88f",
        woods="9fd48a",
        crowns=(("ffd9e6", "f39ebf"), ("ffe9f0", "f7b3cd"), ("c4e87f", "8fce5c")),
        pine=("4fa873", "378a60"),
        bush=("b5e274", "82c658"),
        flowers=("ff8fb8", "fff0a0", "ffffff", "c99bf0"),
        petals=46,
    ),
    "summer": Palette(
        grass=("86cc58", "4f9f47"),
        hill="93cf78",
        woods="6fae74",
        crowns=(("7cc257", "46923f"), ("92cf60", "559f45"), ("68b35a", "3b8446")),
        pine=("3b9164", "2a6f50"),
        bush=("6fbb55", "41893f"),
        flowers=("fff3a8", "ff9fb4", "ffffff"),
        petals=34,
    ),
    "autumn": Palette(
        grass=("d9b85a", "b08a3f"),
        hill="e3bb6c",
        woods="d08c4c",
        crowns=(("f7a63c", "d9702a"), ("ee7a3a", "b8452a"), ("fbcb4a", "e09a2c")),
        pine=("5d8a52", "466f45"),
        bush=("e08f3c", "b3602e"),
        flowers=("e8662c", "c8402c", "f5b433"),
        petals=52,
    ),
    "winter": Palette(
        grass=("f8fbff", "cfdff2"),
        hill="e2ecf8",
        woods="b9cbe0",
        crowns=(("fbfdff", "c3d3e8"), ("eef4fc", "b4c7e0"), ("f6faff", "bccde4")),
        pine=("dfeaf2", "5b8a86"),
        bush=("f2f7fd", "b9cbe2"),
        flowers=("ffffff", "e4eefa"),
        petals=0,
        snow=True,
    ),
}

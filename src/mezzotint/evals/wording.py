"""The words of the test's prompts, one for each thing: plain ones, that captions have too."""

from mezzotint.world.scene import Hour, Place, Style
from mezzotint.world.things import PLURAL

PLACES_SAID: dict[Place, str] = {
    "snow": "in the snow",
    "forest": "in a forest",
    "jungle": "in a jungle",
    "meadow": "in a meadow",
    "garden": "in a garden",
    "farm": "on a farm",
    "village": "in a village",
    "city": "in a city",
    "beach": "on a beach",
    "desert": "in the desert",
    "mountains": "in the mountains",
    "lake": "by a lake",
    "volcano": "by a volcano",
    "sea": "in the sea",
    "sky": "in the sky",
    "underwater": "underwater",
    "space": "in space",
    "room": "in a room",
}
"""Every place but the plain one."""

HOURS_SAID: dict[Hour, str] = {
    "dawn": "at dawn",
    "day": "by day",
    "golden hour": "at golden hour",
    "sunset": "at sunset",
    "night": "at night",
}

STYLES_SAID: dict[Style, str] = {
    "flat": "flat illustration",
    "ink": "ink sketch",
    "oil": "oil painting",
    "watercolour": "watercolour painting",
    "neon": "neon art",
    "pixel": "pixel art",
    "paper": "paper cut",
}
"""Every style but the default, which nobody has to ask for."""

NUMBERS = {2: "two", 3: "three", 4: "four"}


def where(place: Place, hour: Hour) -> str:
    """The words for a place in a light."""
    return f"{PLACES_SAID[place]} {HOURS_SAID[hour]}"


def a(noun: str, colour: str = "") -> str:
    """The noun with its article: *a fox*, *an orange fox*, *an umbrella*, *cherries*."""
    words = f"{colour} {noun}".strip()
    if noun in PLURAL:
        return words
    return f"an {words}" if words.startswith(("a", "e", "i", "o", "umb")) else f"a {words}"

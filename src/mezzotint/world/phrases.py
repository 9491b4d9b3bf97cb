"""The words of captions: how people name a place, an hour, a weather, a style, a size.

A phrase that stands twice is said twice as often.
"""

from mezzotint.world.scene import Hour, Place, Size, Style, Weather

PLACE_PHRASES: dict[Place, tuple[str, ...]] = {
    "snow": ("in the snow", "in the snow", "in a snowy field", "on snow", "in a winter landscape"),
    "forest": ("in a forest", "in a forest", "in the forest", "in the woods"),
    "meadow": ("in a meadow", "in a meadow", "on a green meadow", "on the grass", "in a field"),
    "beach": ("on a beach", "on a beach", "on the beach", "on a sandy beach", "at the beach"),
    "desert": ("in the desert", "in the desert", "in a desert", "on a sand dune"),
    "mountains": (
        "in the mountains",
        "by a mountain lake",
        "in front of mountains",
        "at a mountain lake",
    ),
    "city": ("in a city", "in the city", "on a city street", "in front of a city skyline"),
    "sea": ("in the sea", "on the sea", "on the ocean", "in the ocean", "on the water"),
    "underwater": ("under water", "underwater", "under the sea", "at the bottom of the sea"),
    "space": ("in space", "in space", "in outer space", "among the stars in space"),
    "plain": (
        "on a {} background",
        "on a {} background",
        "on a plain {} background",
        "against a {} background",
    ),
}

HOUR_PHRASES: dict[Hour, tuple[str, ...]] = {
    "day": ("by day", "during the day", "in daylight", "at noon"),
    "sunset": ("at sunset", "at sunset", "at golden hour", "in the evening"),
    "night": ("at night", "at night", "at night", "by moonlight"),
}

WEATHER_PHRASES: dict[Weather, tuple[str, ...]] = {
    "clear": (),
    "snowfall": ("in falling snow", "while it snows", "with snow falling"),
    "rain": ("in the rain", "while it rains", "with rain falling"),
}

STYLE_PHRASES: dict[Style, tuple[str, ...]] = {
    "modern": ("storybook art", "digital art", "modern art"),
    "flat": ("flat art", "flat illustration", "flat style"),
    "ink": ("ink sketch", "ink drawing", "ink sketch"),
    "neon": ("neon", "neon art", "neon style"),
}

PLACE_TAGS: dict[Place, str] = {
    **{place: str(place) for place in PLACE_PHRASES},
    "plain": "{} background",
    "mountains": "mountain lake",
}
WEATHER_TAGS: dict[Weather, str] = {"clear": "", "snowfall": "snowing", "rain": "rain"}

SIZE_WORDS: dict[Size, tuple[str, ...]] = {
    "small": ("small", "small", "little", "tiny"),
    "medium": ("",),
    "large": ("large", "large", "big"),
}

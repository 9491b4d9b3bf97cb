"""The words of captions: how people name places, hours, seasons, weather, styles, sizes, relations.

A phrase that stands twice is said twice as often. An underscore is where an adjective may stand;
``{}`` is a plain background's colour; ``{0}`` and ``{1}`` are the first and the second thing. An
article is always ``a``: the caption makes it ``an`` where it must.
"""

from mezzotint.world.scene import Colour, Hour, Place, Relation, Season, Size, Style, Weather

Phrases = tuple[str, ...]

PLACE_PHRASES: dict[Place, Phrases] = {
    "snow": ("in the snow", "in the snow", "in the snow", "in deep snow", "in a _ snowy landscape"),
    "forest": ("in a _ forest", "in a _ forest", "in the _ forest", "in the _ woods"),
    "jungle": ("in a _ jungle", "in a _ jungle", "in the _ jungle", "in the _ rainforest"),
    "meadow": ("in a _ meadow", "in a _ meadow", "on a _ green meadow", "in a _ field"),
    "garden": ("in a _ garden", "in a _ garden", "in the _ garden", "in a _ flower garden"),
    "farm": ("on a _ farm", "on a _ farm", "on the _ farm", "in a _ farmyard"),
    "village": ("in a _ village", "in a _ village", "in the _ village", "on a _ village street"),
    "city": ("in a _ city", "in a _ city", "in the _ city", "on a _ city street"),
    "beach": (
        "on a _ beach",
        "on a _ beach",
        "on the _ beach",
        "at the _ beach",
        "on a _ sandy beach",
    ),
    "desert": ("in the _ desert", "in a _ desert", "in a _ desert", "among _ sand dunes"),
    "mountains": ("in the _ mountains", "in the _ mountains", "high in the _ mountains"),
    "lake": ("by a _ lake", "by the _ lake", "at a _ lake", "on a _ lake", "at a _ mountain lake"),
    "volcano": (
        "by a _ volcano",
        "near a _ volcano",
        "near a _ volcano",
        "in a _ volcanic landscape",
    ),
    "sea": ("in the _ sea", "on the _ sea", "at sea", "in the _ ocean", "on the _ ocean"),
    "sky": ("in the _ sky", "in the _ sky", "high in the _ sky", "among the clouds"),
    "underwater": ("underwater", "under water", "under the sea", "at the bottom of the sea"),
    "space": ("in space", "in space", "in space", "in outer space"),
    "room": ("in a _ room", "in a _ room", "in the _ room", "in a _ living room", "indoors"),
    "plain": (
        *("on a {} background", "on a {} background", "on a plain {} background"),
        *("against a {} background", "with a {} background"),
    ),
}

SCENERY: dict[Place, Phrases] = {
    "snow": ("a _ snowy landscape", "a _ snowfield"),
    "forest": ("a _ forest", "a _ forest landscape", "the _ woods"),
    "jungle": ("a _ jungle", "a _ jungle landscape", "a _ rainforest"),
    "meadow": ("a _ meadow", "a _ green meadow", "a _ field"),
    "garden": ("a _ garden", "a _ flower garden"),
    "farm": ("a _ farm", "a _ farm landscape", "a _ farmyard"),
    "village": ("a _ village", "a _ village street"),
    "city": ("a _ city", "a _ city street", "a _ city skyline", "a _ cityscape"),
    "beach": ("a _ beach", "a _ sandy beach", "a _ beach landscape"),
    "desert": ("a _ desert", "a _ desert landscape", "_ sand dunes"),
    "mountains": ("a _ mountain landscape", "a _ mountain landscape", "_ mountains"),
    "lake": ("a _ mountain lake", "a _ lake", "a _ lake landscape"),
    "volcano": ("a _ volcano", "a _ volcanic landscape"),
    "sea": ("the _ sea", "the _ ocean", "a _ sea landscape"),
    "sky": ("the _ sky", "a _ sky above the clouds", "a _ cloudscape"),
    "underwater": ("a _ underwater landscape", "the _ bottom of the sea", "a _ underwater scene"),
    "space": ("_ outer space", "a _ space scene", "_ space"),
    "room": ("a _ room", "a _ living room", "a _ empty room"),
    "plain": ("a plain {} background", "a {} background"),
}
"""Places that are the picture's subject."""

PLACE_TAGS: dict[Place, Phrases] = {
    **{place: (str(place),) for place in PLACE_PHRASES},
    "snow": ("snow", "snowy landscape"),
    "forest": ("forest", "woods"),
    "city": ("city", "city street"),
    "mountains": ("mountains", "mountain landscape"),
    "lake": ("lake", "mountain lake"),
    "sea": ("sea", "ocean"),
    "space": ("space", "outer space"),
    "room": ("room", "indoors"),
    "plain": ("{} background",),
}

HOUR_PHRASES: dict[Hour, Phrases] = {
    "dawn": ("at dawn", "at dawn", "at sunrise", "at daybreak", "in the early morning"),
    "day": ("by day", "during the day", "in daylight", "at noon"),
    "golden hour": ("at golden hour", "at golden hour", "during golden hour", "in golden light"),
    "sunset": ("at sunset", "at sunset", "at sunset", "at dusk", "in the evening"),
    "night": ("at night", "at night", "at night", "by moonlight", "at midnight"),
}
HOUR_TAGS: dict[Hour, Phrases] = {
    "dawn": ("dawn", "sunrise"),
    "day": ("day", "daylight"),
    "golden hour": ("golden hour", "golden light"),
    "sunset": ("sunset", "dusk"),
    "night": ("night", "moonlight"),
}
HOUR_ADJECTIVES: dict[Hour, Phrases] = {"night": ("moonlit",)}

SEASON_PHRASES: dict[Season, Phrases] = {
    "spring": ("in spring", "in spring", "in springtime"),
    "summer": ("in summer", "in summer", "in summertime"),
    "autumn": ("in autumn", "in autumn", "in the fall"),
    "winter": ("in winter", "in winter", "in wintertime"),
}
SEASON_TAGS: dict[Season, Phrases] = {season: (str(season),) for season in SEASON_PHRASES}
SEASON_ADJECTIVES: dict[Season, Phrases] = {
    "spring": ("spring",),
    "summer": ("summer",),
    "autumn": ("autumn", "autumn", "autumnal"),
    "winter": ("winter", "snowy", "wintry", "snow-covered"),
}

WEATHER_PHRASES: dict[Weather, Phrases] = {
    "clear": ("under a clear sky", "in clear weather"),
    "rain": ("in the rain", "in the rain", "while it rains", "with rain falling"),
    "snowfall": ("in falling snow", "while it snows", "with snow falling"),
    "fog": ("in the fog", "in the fog", "in thick fog", "in the mist"),
}
WEATHER_TAGS: dict[Weather, Phrases] = {
    "clear": ("clear sky",),
    "rain": ("rain", "raining"),
    "snowfall": ("snowing", "falling snow"),
    "fog": ("fog", "mist"),
}
WEATHER_ADJECTIVES: dict[Weather, Phrases] = {"rain": ("rainy",), "fog": ("foggy", "misty")}

STYLE_NOUNS: dict[Style, Phrases] = {
    "storybook": ("storybook illustration", "storybook picture"),
    "flat": ("flat illustration", "flat vector illustration"),
    "ink": ("ink sketch", "ink sketch", "ink drawing", "pen and ink drawing"),
    "oil": ("oil painting",),
    "watercolour": ("watercolour", "watercolour painting", "watercolor painting"),
    "neon": ("neon picture", "neon artwork"),
    "pixel": ("pixel art picture", "pixel art image"),
    "paper": ("paper-cut picture", "paper cutout"),
}
"""As in *an oil painting of a fox*."""

STYLE_TAGS: dict[Style, Phrases] = {
    "storybook": ("storybook art", "storybook style", "storybook illustration"),
    "flat": ("flat style", "flat art", "flat design", "flat illustration"),
    "ink": ("ink sketch", "ink drawing", "ink sketch style", "pen and ink"),
    "oil": ("oil painting", "oil painting style", "oil on canvas", "in oil painting style"),
    "watercolour": ("watercolour", "watercolor", "watercolour style", "watercolour painting"),
    "neon": ("neon", "neon style", "neon art", "glowing neon"),
    "pixel": ("pixel art", "pixel art", "pixel art style", "8-bit pixel art"),
    "paper": ("paper cut", "paper-cut style", "paper cutout", "papercut art"),
}
"""As in *a fox, oil painting*."""

STYLE_ADJECTIVES: dict[Style, Phrases] = {
    "ink": ("ink-drawn",),
    "watercolour": ("watercolour",),
    "neon": ("neon",),
    "pixel": ("pixel art", "pixelated"),
    "paper": ("paper-cut", "papercut"),
}
"""As in *a neon fox*."""

SIZE_WORDS: dict[Size, Phrases] = {
    "small": ("small", "small", "little", "tiny"),
    "medium": ("medium-sized", "mid-sized"),
    "large": ("large", "large", "big"),
}

COLOUR_WORDS: dict[Colour, Phrases] = {
    "purple": ("purple", "purple", "purple", "violet"),
    "red": ("red", "red", "red", "red", "scarlet"),
}
"""Where a colour has more than its own name."""

NUMBERS: dict[int, Phrases] = {
    2: ("two", "two", "two", "two", "2", "a pair of"),
    3: ("three", "three", "three", "three", "3"),
    4: ("four", "four", "four", "four", "4"),
}
UNCOUNTED: Phrases = ("", "some", "a few")

RELATION_PHRASES: dict[Relation, Phrases] = {
    "beside": (
        *("{0} to the left of {1}", "{0} to the left of {1}", "{0} left of {1}"),
        *("{1} to the right of {0}", "{1} to the right of {0}", "{1} right of {0}"),
        *("{0} on the left of {1}", "{1} on the right of {0}"),
        "{0} on the left and {1} on the right",
    ),
    "above": (
        *("{0} above {1}", "{0} above {1}", "{0} above {1}", "{0} over {1}", "{1} below {0}"),
        *("{1} under {0}", "{1} beneath {0}", "{0} floating above {1}", "{0} hovering over {1}"),
    ),
    "on": (
        *("{0} on top of {1}", "{0} on top of {1}", "{0} on top of {1}", "{0} on {1}"),
        *("{0} standing on {1}", "{0} sitting on top of {1}", "{1} with {0} on top"),
    ),
    "in front": (
        *("{0} in front of {1}", "{0} in front of {1}", "{1} behind {0}"),
        "{0} standing in front of {1}",
    ),
}
LOOSE: Phrases = (
    *("{0} and {1}", "{0} and {1}", "{0} and {1}", "{0} with {1}"),
    *("{0} next to {1}", "{0} beside {1}"),
)
"""Of two things side by side, which are named from left to right, as one reads."""
THREE: Phrases = (
    "{0} on the left, {1} in the middle and {2} on the right",
    "{1} between {0} on the left and {2} on the right",
)
RELATION_TAGS: dict[Relation, Phrases] = {
    "beside": ("{0} left of {1}", "{1} right of {0}"),
    "above": ("{0} above {1}", "{1} below {0}"),
    "on": ("{0} on {1}", "{0} on top of {1}"),
    "in front": ("{0} in front of {1}", "{1} behind {0}"),
}

SIDES = ("on the left", "in the middle", "on the right")
WORN: Phrases = ("wearing {}", "wearing {}", "wearing {}", "in {}")

OPENINGS: Phrases = ("a picture of", "a picture of", "a photo of", "a photo of", "a image of")
LOVELY: Phrases = ("beautiful", "beautiful", "cute", "lovely", "charming", "adorable")
SERENE: Phrases = ("beautiful", "beautiful", "serene", "serene", "peaceful", "quiet", "lovely")
QUALITY: Phrases = (
    *("photorealistic", "highly detailed", "digital art", "4k", "8k", "masterpiece"),
    *("high quality", "cinematic", "sharp focus", "trending on artstation"),
)
"""What is said of any picture and means nothing here: a model is to ignore it."""

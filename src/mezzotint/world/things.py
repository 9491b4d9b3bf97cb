"""The objects of the world: which art draws each, what else it is called, where it belongs."""

from dataclasses import dataclass
from typing import Literal

from mezzotint.world.scene import COLOURS, Colour

Habitat = Literal["ground", "air", "water", "boat"]
Dye = Literal["hue", "gold", "pale", "all"]
"""Which part of the art takes a colour: that of its main hue, the golden, the pale, or all."""

FUR: tuple[Colour, ...] = ("black", "white", "brown", "orange")


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    ``synonyms`` are other names for it, ``art`` the file name of its icon (its name, if empty),
    ``colours`` those it can be given (none: it keeps its own).
    """

    name: str
    synonyms: tuple[str, ...] = ()
    art: str = ""
    habitat: Habitat = "ground"
    colours: tuple[Colour, ...] = ()
    dye: Dye = "hue"

    @property
    def icon(self) -> str:
        """The file name of its icon, without the suffix."""
        return self.art or self.name.replace(" ", "-")


# A seed draws from this table by position, so adding a kind changes every scene.
_TABLE = (
    Kind("fox", synonyms=("red fox",)),
    Kind("cat", synonyms=("kitten", "kitty"), colours=FUR),
    Kind("dog", synonyms=("puppy", "doggy"), art="dog-face"),
    Kind("penguin"),
    Kind("owl", synonyms=("little owl",)),
    Kind("rabbit", synonyms=("bunny",)),
    Kind("bear", synonyms=("brown bear",)),
    Kind("panda", synonyms=("panda bear",)),
    Kind("koala", synonyms=("koala bear",)),
    Kind("lion"),
    Kind("tiger"),
    Kind("elephant"),
    Kind("giraffe"),
    Kind("zebra"),
    Kind("horse", synonyms=("pony",), colours=FUR),
    Kind("cow"),
    Kind("pig", synonyms=("piglet",)),
    Kind("sheep", synonyms=("lamb",), art="ewe"),
    Kind("deer", synonyms=("stag",)),
    Kind("squirrel", synonyms=("chipmunk",), art="chipmunk"),
    Kind("hedgehog"),
    Kind("mouse"),
    Kind("monkey"),
    Kind("crocodile", synonyms=("alligator",)),
    Kind("turtle", synonyms=("tortoise",)),
    Kind("snake", synonyms=("serpent",)),
    Kind("frog"),
    Kind("duck"),
    Kind("rooster", synonyms=("cockerel",)),
    Kind("chick", synonyms=("hatching chick",), art="hatching-chick"),
    Kind("bird", synonyms=("songbird",), habitat="air", colours=COLOURS),
    Kind("parrot"),
    Kind("flamingo"),
    Kind("swan", habitat="boat"),
    Kind("butterfly", habitat="air", colours=COLOURS),
    Kind("bee", synonyms=("honeybee",), art="honeybee", habitat="air"),
    Kind("snail"),
    Kind("spider"),
    Kind("wolf"),
    Kind("polar bear"),
    Kind("fish", habitat="water", colours=COLOURS),
    Kind("dolphin", habitat="water"),
    Kind("whale", art="spouting-whale", habitat="water"),
    Kind("shark", habitat="water"),
    Kind("octopus", habitat="water", colours=COLOURS),
    Kind("crab", colours=COLOURS),
    Kind("dragon", colours=COLOURS),
    Kind("unicorn"),
    Kind("dinosaur", synonyms=("t-rex", "tyrannosaurus"), art="t-rex", colours=COLOURS),
    Kind("robot", colours=COLOURS, dye="pale"),
    Kind("alien"),
    Kind("ghost"),
    Kind("pumpkin", synonyms=("jack-o'-lantern", "halloween pumpkin"), art="jack-o-lantern"),
    Kind("snowman", art="snowman-without-snow"),
    Kind("teddy bear", synonyms=("teddy", "stuffed bear")),
    Kind("castle", synonyms=("fairytale castle", "palace")),
    Kind("house", colours=COLOURS),
    Kind("tent", colours=COLOURS),
    Kind("rocket", synonyms=("spaceship", "rocket ship"), habitat="air"),
    Kind("ufo", synonyms=("flying saucer",), art="flying-saucer", habitat="air"),
    Kind("airplane", synonyms=("plane", "aeroplane", "jet"), habitat="air"),
    Kind("helicopter", habitat="air"),
    Kind("balloon", synonyms=("party balloon",), habitat="air", colours=COLOURS),
    Kind("planet", synonyms=("ringed planet", "saturn"), art="ringed-planet", habitat="air"),
    Kind("moon", synonyms=("crescent moon",), art="crescent-moon", habitat="air"),
    Kind("star", habitat="air", colours=COLOURS),
    Kind("car", synonyms=("automobile",), art="automobile", colours=COLOURS),
    Kind("bus", colours=COLOURS, dye="gold"),
    Kind("taxi", synonyms=("cab",)),
    Kind("truck", synonyms=("lorry", "delivery truck"), art="delivery-truck", colours=COLOURS),
    Kind("fire truck", synonyms=("fire engine",), art="fire-engine"),
    Kind("tractor", colours=COLOURS),
    Kind("train", synonyms=("steam train", "locomotive"), art="locomotive"),
    Kind("bicycle", synonyms=("bike",), colours=COLOURS),
    Kind("motorcycle", synonyms=("motorbike",), colours=COLOURS),
    Kind("sailboat", synonyms=("sailing boat", "yacht"), habitat="boat"),
    Kind("ship", habitat="boat"),
    Kind("pine tree", synonyms=("pine", "fir tree"), art="evergreen-tree"),
    Kind("tree", art="deciduous-tree"),
    Kind("palm tree", synonyms=("palm",)),
    Kind("cactus"),
    Kind("christmas tree"),
    Kind("sunflower"),
    Kind("tulip", colours=COLOURS),
    Kind("rose", colours=COLOURS),
    Kind("flower", synonyms=("hibiscus", "blossom"), art="hibiscus", colours=COLOURS),
    Kind("mushroom", synonyms=("toadstool",), colours=COLOURS),
    Kind("apple", art="red-apple", colours=("red", "green", "yellow")),
    Kind("banana"),
    Kind("pear"),
    Kind("orange", synonyms=("tangerine",), art="tangerine"),
    Kind("lemon"),
    Kind("strawberry"),
    Kind("watermelon", synonyms=("slice of watermelon",)),
    Kind("pineapple"),
    Kind("cherries"),
    Kind("grapes", synonyms=("bunch of grapes",)),
    Kind("tomato"),
    Kind("carrot"),
    Kind("pizza", synonyms=("slice of pizza",)),
    Kind("hamburger", synonyms=("burger",)),
    Kind("cake", synonyms=("birthday cake",), art="birthday-cake"),
    Kind("cupcake", synonyms=("muffin",), colours=COLOURS),
    Kind("donut", synonyms=("doughnut",), art="doughnut"),
    Kind("cookie"),
    Kind("ice cream", synonyms=("ice cream cone",), art="soft-ice-cream"),
    Kind("lollipop"),
    Kind(
        "mug", synonyms=("cup", "tea cup"), art="teacup-without-handle", colours=COLOURS, dye="pale"
    ),
    Kind("teapot", colours=COLOURS),
    Kind("guitar", synonyms=("electric guitar",), colours=COLOURS),
    Kind("violin"),
    Kind("trumpet"),
    Kind("drum", colours=COLOURS),
    Kind("book", art="closed-book", colours=COLOURS),
    Kind("crown"),
    Kind("hat", synonyms=("top hat",), art="top-hat", colours=COLOURS, dye="all"),
    Kind("cap", synonyms=("baseball cap",), art="billed-cap", colours=COLOURS),
    Kind("shirt", synonyms=("t-shirt",), art="t-shirt", colours=COLOURS),
    Kind("umbrella", synonyms=("parasol",), colours=COLOURS),
    Kind("gift", synonyms=("present",), art="wrapped-gift", colours=COLOURS),
    Kind("candle"),
    Kind("light bulb", synonyms=("lamp",)),
    Kind("key"),
    Kind("clock", synonyms=("alarm clock",), art="alarm-clock", colours=COLOURS),
    Kind("camera"),
    Kind("soccer ball", synonyms=("football",)),
    Kind("ball", synonyms=("basketball",), art="basketball", colours=COLOURS),
    Kind("heart", art="red-heart", colours=COLOURS),
    Kind("diamond", synonyms=("gem",), art="gem-stone", colours=COLOURS),
    Kind("bell"),
    Kind("telescope"),
    Kind("chair", colours=COLOURS),
    Kind("globe", synonyms=("earth",), art="globe-showing-europe-africa"),
    Kind("fire", synonyms=("campfire", "flame")),
    Kind("astronaut", art="astronaut-default"),
)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _TABLE}
"""Every object of the world by its name."""

PLURAL = frozenset({"cherries", "grapes"})
"""Names that take no article."""

MASS = frozenset({"pizza", "ice cream", "fire"})
"""Names that may go without one."""

"""The objects of the world: which art draws each, what else it is called, where it belongs."""

from dataclasses import dataclass
from typing import Literal

from mezzotint.world.scene import COLOURS, Colour

Habitat = Literal["ground", "air", "water", "boat"]
Dye = Literal["hue", "gold", "pale", "all"]
"""Which part of the art a colour goes to: its main hue, its golden, its pale part, or all of it."""


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    ``art`` is the file name of the icon, ``synonyms`` other names for it, ``colours`` those it can
    be recoloured to (none: it keeps its own).
    """

    name: str
    art: str
    synonyms: tuple[str, ...] = ()
    habitat: Habitat = "ground"
    colours: tuple[Colour, ...] = ()
    dye: Dye = "hue"


FUR: tuple[Colour, ...] = ("black", "white", "brown", "orange")


def _kind(line: str) -> Kind:
    """``name [= art] [| synonym, …] [@ habitat] [# colours [: dye]]`` as a Kind."""
    line, _, colours = line.partition("#")
    colours, _, dye = colours.partition(":")
    line, _, habitat = line.partition("@")
    line, _, synonyms = line.partition("|")
    name, _, art = line.partition("=")
    palettes: dict[str, tuple[Colour, ...]] = {
        "": (),
        "any": COLOURS,
        "fur": FUR,
        "fruit": ("red", "green", "yellow"),
    }
    places: dict[str, Habitat] = {"": "ground", "air": "air", "water": "water", "boat": "boat"}
    dyes: dict[str, Dye] = {"": "hue", "gold": "gold", "pale": "pale", "all": "all"}
    name = name.strip()
    return Kind(
        name=name,
        art=art.strip() or name.replace(" ", "-"),
        synonyms=tuple(s.strip() for s in synonyms.split(",") if s.strip()),
        habitat=places[habitat.strip()],
        colours=palettes[colours.strip()],
        dye=dyes[dye.strip()],
    )


_TABLE = """
fox | red fox
cat | kitten, kitty # fur
dog = dog-face | puppy, doggy
penguin
owl | little owl
rabbit | bunny
bear | brown bear
panda | panda bear
koala | koala bear
lion
tiger
elephant
giraffe
zebra
horse | pony # fur
cow
pig | piglet
sheep = ewe | lamb
deer | stag
squirrel = chipmunk | chipmunk
hedgehog
mouse
monkey
crocodile | alligator
turtle | tortoise
snake | serpent
frog
duck
rooster | cockerel
chick = hatching-chick | hatching chick
bird | songbird @ air # any
parrot
flamingo
swan @ boat
butterfly @ air # any
bee = honeybee | honeybee @ air
snail
spider
wolf
polar bear
fish @ water # any
dolphin @ water
whale = spouting-whale @ water
shark @ water
octopus @ water # any
crab # any
dragon # any
unicorn
dinosaur = t-rex | t-rex, tyrannosaurus # any
robot # any: pale
alien
ghost
pumpkin = jack-o-lantern | jack-o'-lantern, halloween pumpkin
snowman = snowman-without-snow
teddy bear | teddy, stuffed bear
castle | fairytale castle, palace
house # any
tent # any
rocket | spaceship, rocket ship @ air
ufo = flying-saucer | flying saucer @ air
airplane | plane, aeroplane, jet @ air
helicopter @ air
balloon | party balloon @ air # any
planet = ringed-planet | ringed planet, saturn @ air
moon = crescent-moon | crescent moon @ air
star @ air # any
car = automobile | automobile # any
bus # any: gold
taxi | cab
truck = delivery-truck | lorry, delivery truck # any
fire truck = fire-engine | fire engine
tractor # any
train = locomotive | steam train, locomotive
bicycle | bike # any
motorcycle | motorbike # any
sailboat | sailing boat, yacht @ boat
ship @ boat
pine tree = evergreen-tree | pine, fir tree
tree = deciduous-tree
palm tree | palm
cactus
christmas tree
sunflower
tulip # any
rose # any
flower = hibiscus | hibiscus, blossom # any
mushroom | toadstool # any
apple = red-apple # fruit
banana
pear
orange = tangerine | tangerine
lemon
strawberry
watermelon | slice of watermelon
pineapple
cherries
grapes | bunch of grapes
tomato
carrot
pizza | slice of pizza
hamburger | burger
cake = birthday-cake | birthday cake
cupcake | muffin # any
donut = doughnut | doughnut
cookie
ice cream = soft-ice-cream | ice cream cone
lollipop
mug = teacup-without-handle | cup, tea cup # any: pale
teapot # any
guitar | electric guitar # any
violin
trumpet
drum # any
book = closed-book # any
crown
hat = top-hat | top hat # any: all
cap = billed-cap | baseball cap # any
shirt = t-shirt | t-shirt # any
umbrella | parasol # any
gift = wrapped-gift | present # any
candle
light bulb | lamp
key
clock = alarm-clock | alarm clock # any
camera
soccer ball | football
ball = basketball | basketball # any
heart = red-heart # any
diamond = gem-stone | gem # any
bell
telescope
chair # any
globe = globe-showing-europe-africa | earth
fire | campfire, flame
astronaut = astronaut-default
"""

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (_kind(line) for line in _TABLE.strip().splitlines())
}
"""Every object of the world by its name."""

PLURAL = frozenset({"cherries", "grapes"})
MASS = frozenset({"pizza", "ice cream", "fire"})

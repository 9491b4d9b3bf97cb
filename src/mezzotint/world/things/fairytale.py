"""Who walks through stories."""

from mezzotint.world.scene import COLOURS
from mezzotint.world.things.kind import Kind

FAIRYTALE = (
    Kind("dragon", colours=COLOURS, head=(0.35, 0.12, 0.35)),
    Kind("unicorn"),
    Kind(
        "dinosaur",
        synonyms=("t-rex", "tyrannosaurus"),
        art="t-rex",
        colours=COLOURS,
        head=(0.36, 0.08, 0.36),
    ),
    Kind(
        "brontosaurus",
        synonyms=("sauropod", "long-necked dinosaur"),
        art="sauropod",
        head=(0.15, 0.08, 0.3),
    ),
    Kind("robot", synonyms=("android",), colours=COLOURS, dye="pale", head=(0.5, 0.14, 0.62)),
    Kind("alien", synonyms=("extraterrestrial", "martian"), colours=COLOURS, head=(0.5, 0.16, 0.6)),
    Kind("space invader", synonyms=("pixel monster",), art="alien-monster"),
    Kind("ghost", synonyms=("phantom", "spook"), head=(0.5, 0.12, 0.48)),
    Kind(
        "pumpkin",
        synonyms=("jack-o'-lantern", "halloween pumpkin"),
        art="jack-o-lantern",
        head=(0.5, 0.17, 0.5),
        top=(0.5, 0.12, 0.5),
    ),
    Kind("snowman", art="snowman-without-snow"),
    Kind("teddy bear", synonyms=("teddy", "stuffed bear"), colours=COLOURS, head=(0.5, 0.1, 0.4)),
    Kind("astronaut", synonyms=("cosmonaut",), art="astronaut-default", head=(0.5, 0.1, 0.6)),
    Kind("wizard", synonyms=("sorcerer", "magician"), art="man-mage-default"),
    Kind("witch", synonyms=("sorceress",), art="woman-mage-default"),
    Kind("fairy", synonyms=("pixie",), art="woman-fairy-default", habitat="air"),
    Kind("mermaid", art="woman-merpeople-default", habitat="water"),
    Kind("genie", synonyms=("djinn",), art="man-genie"),
    Kind("elf", art="person-elf-default"),
    Kind("vampire", synonyms=("dracula",), art="man-vampire-default", head=(0.5, 0.14, 0.42)),
    Kind("zombie", art="man-zombie", head=(0.5, 0.14, 0.5)),
    Kind("ninja", art="ninja-default"),
    Kind("superhero", art="person-superhero-default", plural="superheroes"),
    Kind("santa claus", synonyms=("santa", "father christmas"), art="santa-claus-default"),
    Kind("goblin", synonyms=("tengu",)),
    Kind("ogre", synonyms=("oni",)),
    Kind("troll"),
    Kind("skull", head=(0.5, 0.12, 0.7)),
)

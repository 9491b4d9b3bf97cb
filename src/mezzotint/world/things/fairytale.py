"""Who walks through stories."""

from mezzotint.world.scene import COLOURS
from mezzotint.world.things.kind import Kind

FAIRYTALE = (
    Kind("dragon", colours=COLOURS),
    Kind("unicorn"),
    Kind("dinosaur", synonyms=("t-rex", "tyrannosaurus"), art="t-rex", colours=COLOURS),
    Kind("brontosaurus", synonyms=("sauropod", "long-necked dinosaur"), art="sauropod"),
    Kind("robot", synonyms=("android",), colours=COLOURS, dye="pale"),
    Kind("alien", synonyms=("extraterrestrial", "martian")),
    Kind("space invader", synonyms=("pixel monster",), art="alien-monster"),
    Kind("ghost", synonyms=("phantom", "spook")),
    Kind("pumpkin", synonyms=("jack-o'-lantern", "halloween pumpkin"), art="jack-o-lantern"),
    Kind("snowman", art="snowman-without-snow"),
    Kind("teddy bear", synonyms=("teddy", "stuffed bear")),
    Kind("astronaut", synonyms=("cosmonaut",), art="astronaut-default"),
    Kind("wizard", synonyms=("sorcerer", "magician"), art="man-mage-default"),
    Kind("witch", synonyms=("sorceress",), art="woman-mage-default"),
    Kind("fairy", synonyms=("pixie",), art="woman-fairy-default", habitat="air"),
    Kind("mermaid", art="woman-merpeople-default", habitat="water"),
    Kind("genie", synonyms=("djinn",), art="man-genie"),
    Kind("elf", art="person-elf-default"),
    Kind("vampire", synonyms=("dracula",), art="man-vampire-default"),
    Kind("zombie", art="man-zombie"),
    Kind("ninja", art="ninja-default"),
    Kind("superhero", art="person-superhero-default", plural="superheroes"),
    Kind("santa claus", synonyms=("santa", "father christmas"), art="santa-claus-default"),
    Kind("goblin", synonyms=("tengu",)),
    Kind("ogre", synonyms=("oni",)),
    Kind("troll"),
    Kind("skull"),
)

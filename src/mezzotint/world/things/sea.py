"""What lives in the water and by it."""

from mezzotint.world.scene import COLOURS
from mezzotint.world.things.kind import Kind

SEA = (
    Kind("fish", habitat="water", colours=COLOURS, head=(0.3, 0.27, 0.35)),
    Kind("tropical fish", synonyms=("angelfish",), habitat="water"),
    Kind("pufferfish", synonyms=("blowfish",), art="blowfish", habitat="water"),
    Kind("dolphin", synonyms=("porpoise",), habitat="water"),
    Kind("whale", synonyms=("spouting whale",), art="spouting-whale", habitat="water"),
    Kind("shark", habitat="water"),
    Kind("seal", synonyms=("sea lion",), head=(0.25, 0.13, 0.4)),
    Kind("octopus", habitat="water", colours=COLOURS, head=(0.5, 0.16, 0.5)),
    Kind("squid", habitat="water"),
    Kind("jellyfish", habitat="water", colours=COLOURS),
    Kind("crab", colours=COLOURS, head=(0.5, 0.34, 0.3)),
    Kind("lobster"),
    Kind("shrimp", synonyms=("prawn",), habitat="water"),
    Kind("oyster", synonyms=("clam",)),
    Kind("coral", habitat="water"),
    Kind("seashell", synonyms=("shell", "conch"), art="spiral-shell"),
)

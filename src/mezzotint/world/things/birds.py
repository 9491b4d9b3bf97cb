"""Birds."""

from mezzotint.world.scene import COLOURS
from mezzotint.world.things.kind import Kind

BIRDS = (
    Kind("penguin"),
    Kind("owl"),
    Kind("duck", synonyms=("mallard",)),
    Kind("goose", plural="geese"),
    Kind("swan", habitat="boat"),
    Kind("rooster", synonyms=("cockerel",)),
    Kind("chicken", synonyms=("hen",)),
    Kind("chick", synonyms=("hatching chick",), art="hatching-chick"),
    Kind("baby chick", synonyms=("duckling",)),
    Kind("bird", synonyms=("songbird", "birdie"), habitat="air", colours=COLOURS),
    Kind("parrot", synonyms=("macaw",)),
    Kind("flamingo"),
    Kind("peacock"),
    Kind("turkey"),
    Kind("crow", synonyms=("raven",), art="blackbird"),
    Kind("dove", synonyms=("pigeon",), habitat="air"),
    Kind("eagle", synonyms=("hawk", "falcon"), habitat="air"),
    Kind("dodo"),
    Kind("phoenix", synonyms=("firebird",), art="phoenix-bird", habitat="air"),
)

"""Birds."""

from mezzotint.world.scene import COLOURS
from mezzotint.world.things.kind import Kind

BIRDS = (
    Kind("penguin", head=(0.5, 0.16, 0.48)),
    Kind("owl", head=(0.5, 0.14, 0.55)),
    Kind("duck", synonyms=("mallard",), head=(0.33, 0.1, 0.36)),
    Kind("goose", plural="geese", head=(0.25, 0.08, 0.34)),
    Kind("swan", habitat="boat", head=(0.16, 0.1, 0.3)),
    Kind("rooster", synonyms=("cockerel",), head=(0.27, 0.17, 0.36)),
    Kind("chicken", synonyms=("hen",)),
    Kind("chick", synonyms=("hatching chick",), art="hatching-chick", head=(0.5, 0.12, 0.4)),
    Kind("baby chick", synonyms=("duckling",), head=(0.36, 0.12, 0.42)),
    Kind(
        "bird",
        synonyms=("songbird", "birdie"),
        habitat="air",
        colours=COLOURS,
        head=(0.36, 0.12, 0.45),
    ),
    Kind("parrot", synonyms=("macaw",), head=(0.3, 0.1, 0.42)),
    Kind("flamingo", head=(0.22, 0.08, 0.3)),
    Kind("peacock"),
    Kind("turkey"),
    Kind("crow", synonyms=("raven",), art="blackbird", head=(0.27, 0.08, 0.38)),
    Kind("dove", synonyms=("pigeon",), habitat="air"),
    Kind("eagle", synonyms=("hawk", "falcon"), habitat="air"),
    Kind("dodo", head=(0.28, 0.1, 0.34)),
    Kind("phoenix", synonyms=("firebird",), art="phoenix-bird", habitat="air"),
)

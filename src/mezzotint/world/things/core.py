"""The objects that the embedded model is trained on: plain shapes, and no two alike."""

CORE = (
    *("fox", "cat", "dog", "rabbit", "bear", "panda", "koala", "lion", "tiger", "elephant"),
    *("giraffe", "zebra", "horse", "cow", "pig", "sheep", "deer", "hedgehog", "monkey"),
    *("turtle", "frog", "snail", "butterfly", "bee", "ladybug"),
    *("penguin", "owl", "duck", "rooster", "chick", "bird", "flamingo"),
    *("fish", "whale", "shark", "octopus", "crab"),
    *("dragon", "unicorn", "dinosaur", "robot", "alien", "ghost", "pumpkin", "snowman"),
    *("teddy bear", "astronaut", "tree", "pine tree", "palm tree", "cactus", "sunflower", "tulip"),
    *("flower", "mushroom", "log", "rock", "star", "planet", "rainbow", "fire"),
    *("apple", "banana", "strawberry", "watermelon", "pineapple", "cherries", "grapes", "carrot"),
    *("cheese", "egg", "hamburger", "french fries", "pizza", "cake", "cupcake", "donut"),
    *("lollipop", "ice cream", "mug", "teapot", "castle", "house", "tent", "rocket", "ufo"),
    *("airplane", "helicopter", "balloon", "car", "truck", "bus", "tractor", "train", "bicycle"),
    *("sailboat", "hat", "cap", "crown", "sun hat", "graduation cap", "bow"),
    *("shirt", "dress", "backpack", "suitcase", "umbrella", "sunglasses", "guitar", "trumpet"),
    *("drum", "ball", "trophy", "gift", "chair", "bed", "candle"),
    *("light bulb", "clock", "key", "basket", "bucket", "box", "television", "telephone"),
    *("camera", "book", "scissors", "heart", "diamond"),
)

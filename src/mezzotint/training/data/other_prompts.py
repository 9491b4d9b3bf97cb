"""Prompts that are no one's, for what is learnt to leave alone."""

import random

from tokenizers import Tokenizer

LONGEST = 12  # tokens
BLANKS = 8  # one in so many says nothing, as guidance does


def other_prompts(tokenizer: Tokenizer, count: int, seed: int) -> tuple[str, ...]:
    """``count`` texts of 1 to 12 tokens of the vocabulary by chance, one in eight of none.

    They say all that the text encoder has words for, though nothing of sense, and no corpus is
    needed for them.
    """
    rng, size = random.Random(seed), tokenizer.get_vocab_size(with_added_tokens=False)
    return tuple(
        tokenizer.decode([rng.randrange(size) for _ in range(rng.randint(1, LONGEST))]).strip()
        if k % BLANKS
        else ""
        for k in range(count)
    )

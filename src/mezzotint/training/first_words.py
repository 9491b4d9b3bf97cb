"""A picture's words before the U-Net reads any: as near as they come to those that tell the same.

A step of it costs a hundredth of one that asks the U-Net, and it is most of the way.
"""

from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from mezzotint.adapters.contents import digest
from mezzotint.families.base import Model
from mezzotint.files import made, write_whole
from mezzotint.models.image_words import ImageWords
from mezzotint.training.draw import subseed
from mezzotint.training.process_group import Group
from mezzotint.training.schedule import lr_scale
from mezzotint.training.seeing import Source, asked
from mezzotint.training.task import Batch

ROWS = 128
LR, WARMUP, DECAY = 2e-3, 50, 0.5
ENCODED = 64  # texts at a time
TOLD = 1000  # steps between two lines


def begin(
    network: ImageWords,
    source: Source,
    model: Model,
    steps: int,
    seed: int,
    home: Path,
    group: Group,
    progress: Callable[[str, int, int], None],
) -> None:
    """Bring the tokens of pictures near those of the text tower; the gates stay as they are.

    What is found is kept in ``home``, so that a run which goes on need not look for it again.

    Args:
        network: whose tokens.
        source: pictures' vectors as their companions, and what tells the same.
        model: with the text tower.
        steps: of AdamW, 128 pictures each, on the mean square.
        seed: of the run.
        home: where it is kept.
        group: the processes, of which one learns.
        progress: called with what is being done, and how much of how much is done.

    Raises:
        InputError: the folder cannot be written, or is on a disk that is full.
    """
    known = [_known(rows, source) for rows in source.each(ENCODED)]
    facts = torch.tensor([steps, seed, *astuple(network.params)])
    text = {f"text.{name}": w for name, w in model.encoders[0].network.state_dict().items()}
    told = {name: torch.cat([rows[name] for rows in known]) for name in known[0]}
    file = made(home) / f"words-{digest({'facts': facts, **told, **text})[:8]}.safetensors"
    if group.leads and not file.exists():
        _fit(network, *_taught(network, source, model), steps, seed, progress)
        state = {name: each.cpu().contiguous() for name, each in network.state_dict().items()}
        write_whole(file, safetensors.torch.save(state))
    group.wait()
    network.load_state_dict(safetensors.torch.load_file(file))


def _known(rows: Batch, source: Source) -> Batch:
    """What the words that are found depend on."""
    return {"companions": rows["companions"], **source.telling(rows["shots"])}


def _taught(network: ImageWords, source: Source, model: Model) -> tuple[Tensor, Tensor]:
    """All vectors (n, image_width), and the text tower's tokens (n, tokens, context_width)."""
    vectors: list[Tensor] = []
    words: list[Tensor] = []
    for rows in source.each(ENCODED):
        batch = {k: each.to(model.device) for k, each in (rows | _known(rows, source)).items()}
        vectors.append(batch["companions"].float())
        words.append(words_of(model, batch, network.params.tokens))
    return torch.cat(vectors), torch.cat(words)


def words_of(model: Model, batch: Batch, count: int) -> Tensor:
    """The first tokens (b, count, d) of what a batch tells, after the one that begins it."""
    return asked(model, batch).context[:, 1 : 1 + count]


def unlike(tokens: Tensor, words: Tensor) -> Tensor:
    """The mean square of image tokens (b, n, d) less as many or fewer words (b, m, d)."""
    return (tokens[:, : words.shape[1]] - words).square().mean()


def _fit(
    network: ImageWords,
    vectors: Tensor,
    words: Tensor,
    steps: int,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.99), weight_decay=0.01)
    chance = torch.Generator().manual_seed(subseed(seed, "first words"))
    for step in range(steps):
        for each in optimizer.param_groups:
            each["lr"] = LR * lr_scale(step, steps, WARMUP, DECAY, "linear")
        rows = torch.randint(len(vectors), (ROWS,), generator=chance)
        optimizer.zero_grad()
        unlike(network.tokens(vectors[rows]), words[rows]).backward()
        optimizer.step()
        if (step + 1) % TOLD == 0:
            progress("steps on a picture's words", step + 1, steps)

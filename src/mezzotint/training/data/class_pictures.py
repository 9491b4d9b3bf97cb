"""Pictures of a class, drawn by the model that is to learn a subject of it.

DreamBooth (Ruiz et al. 2022, arXiv 2208.12242, section 3.3) goes on training on them, so that the
class stays what it was: "a dog" does not become the dog that was learnt.
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PIL import Image

from mezzotint.files import made, write_whole
from mezzotint.pipeline.identity import weights_digest
from mezzotint.pipeline.metadata.picture import png, read
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.training.data.album import Shot
from mezzotint.training.process_group import Group


def class_pictures(
    pipeline: Pipeline,
    prompt: str,
    count: int,
    folder: Path,
    seed: int,
    group: Group,
    progress: Callable[[str, int, int], None],
) -> tuple[Shot, ...]:
    """Pictures of ``prompt``, drawn into ``folder`` as PNG files with their recipes.

    Those that are there are not drawn again, unless they are damaged or of another prompt, seed or
    model.

    Args:
        pipeline: the model, with nothing attached.
        prompt: the class, such as "a photo of a dog".
        count: how many.
        folder: where they are kept.
        seed: of the first; the others' follow.
        group: the processes that share the work.
        progress: called with what is being done, and how much of how much is done.

    Raises:
        InputError: the folder cannot be written, or is on a disk that is full; the pictures that
            were finished stay.
    """
    model = pipeline.model  # recipes are to say of which weights, of a checkpoint's files, too
    pipeline = replace(pipeline, model=replace(model, digest=weights_digest(model)))
    made(folder)
    files = [folder / f"{k:05d}.png" for k in range(count)]
    todo = [k for k, file in enumerate(files) if not _there(file, pipeline, prompt, seed + k)]
    group.wait()  # every process has to have seen the same files before one writes
    mine = todo[group.rank :: group.size]
    for done, k in enumerate(mine, 1):
        write_whole(files[k], png(pipeline.generate(prompt, seed=seed + k).images[0]))
        if group.leads:
            progress("pictures of the class drawn", done, len(mine))
    group.wait()
    side = pipeline.model.family.size
    return tuple(Shot(file, prompt, side, side, repeats=1, companion=None) for file in files)


def _there(file: Path, pipeline: Pipeline, prompt: str, seed: int) -> bool:
    """Whether the file is the whole picture that would be drawn."""
    try:
        recipe = read(file)
        with Image.open(file) as picture:
            picture.verify()  # loading it would not look at the checksums
    except (OSError, ValueError, SyntaxError, struct.error):
        return False
    wanted = (prompt, seed, pipeline.model.digest)
    return (recipe.prompt, recipe.seed, recipe.model_hash) == wanted

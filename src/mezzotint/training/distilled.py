"""Students with their data ready, for ``build``."""

from pathlib import Path

from mezzotint.training.assemble import read_autoencoder
from mezzotint.training.data.paths import Paths, teacher_paths
from mezzotint.training.data.pictures import PictureSet
from mezzotint.training.journal import note_progress
from mezzotint.training.process_group import Group
from mezzotint.training.recipe import Recipe
from mezzotint.training.sources import open_captions, open_latents
from mezzotint.training.tasks.folding import Described, FoldingRecipe, FoldingTask
from mezzotint.training.tasks.student import StudentRecipe, StudentTask
from mezzotint.training.teacher import read_teacher


def build_student(
    recipe: Recipe, task: StudentRecipe, home: Path, source: Path | None, group: Group
) -> StudentTask:
    """The task, after its teacher has gone all paths that are not there yet.

    Raises:
        InputError: there is no teacher, or its steps are too few.
    """
    model = read_teacher(home, task.teacher, group.device)
    sets = group.leader_first(lambda: open_captions(recipe.pictures, source, home / "data"))

    def paths(pictures: PictureSet, count: int) -> Paths:
        return teacher_paths(
            pictures, count, recipe.seed, model, task.walk, recipe.bf16, group, note_progress
        )

    train, held_out = paths(sets.train, task.paths), paths(sets.held_out, task.held_out_paths)
    return StudentTask(task, recipe.seed, train, held_out, model)


def build_folding(
    recipe: Recipe, task: FoldingRecipe, home: Path, source: Path | None, group: Group
) -> FoldingTask:
    """The task, with the latents that its teacher learned from.

    Raises:
        InputError: there is no teacher, or the autoencoder's run is not finished.
    """
    model = read_teacher(home, task.teacher, group.device)
    autoencoder = read_autoencoder(home / task.autoencoder_run).to(group.device)
    encoded = open_latents(recipe.pictures, source, home / "data", autoencoder, group)
    train, held_out = (Described(latents, pictures.captions) for pictures, latents in encoded)
    return FoldingTask(task, recipe.seed, train, held_out, model)

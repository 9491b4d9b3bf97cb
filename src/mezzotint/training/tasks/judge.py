"""The judge: a detector that learns the whole world, to say what generated pictures show."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from mezzotint.checkpoints.packed import save_packed
from mezzotint.models.detector import Detector, DetectorParams, Maps, Objects, iou, objects
from mezzotint.models.pyramid import CELLS
from mezzotint.training.data.judge_scene import NAMES
from mezzotint.training.data.judged import Judged
from mezzotint.training.draw import Draw, visits
from mezzotint.training.images import sheet, to_tensor
from mezzotint.training.task import Batch, Metrics
from mezzotint.training.tasks.roughen import roughened
from mezzotint.world.scene import COLOURS, HOURS, PLACES, SEASONS, STYLES, WEATHERS

SPREAD, NARROWEST = 0.09, 0.5  # of the heat, in widths of the box and in cells (TTFNet, section 3)
NEAR = 0.5  # heat from which a cell tells of the object too
ANSWERS = 0.5  # weight of the questions about the whole picture
FOUND, MATCHED = 0.3, 0.5  # score of an object that counts as seen, overlap with the true one
TESTED, SHOWN = 128, 12


@dataclass(frozen=True)
class JudgeRecipe:
    """The settings of this task: the words that the judge learns, and its sizes."""

    params: DetectorParams


def world_detector() -> DetectorParams:
    """A detector of every word of the world that the embedded model is asked in."""
    return DetectorParams(
        kinds=NAMES,
        colours=COLOURS,
        places=PLACES,
        hours=HOURS,
        seasons=SEASONS,
        weathers=WEATHERS,
        styles=STYLES,
        channels=(64, 128, 144),
        blocks=(1, 2, 1),
        hidden=128,
    )


class JudgeTask:
    """Focal loss for centres; kinds, colours and boxes at them; questions about the picture."""

    def __init__(
        self, recipe: JudgeRecipe, seed: int, train: Judged, held_out: Judged, device: torch.device
    ) -> None:
        self.recipe, self.seed, self.device = recipe, seed, device
        self.train, self.held_out = train, held_out
        self.network = Detector(recipe.params)

    def batch(self, draw: Draw) -> Batch:
        """``images`` (b, 128, 128, 3) uint8, ``objects`` (b, 8, 6) and ``answers`` (b, 5)."""
        first = draw.step * draw.batch
        indices = visits(self.seed, len(self.train.pictures), first, draw.batch)[draw.rows]
        return {
            "images": torch.from_numpy(self.train.pictures.pictures(indices)),
            "objects": torch.from_numpy(self.train.objects[indices]),
            "answers": torch.from_numpy(self.train.answers[indices]),
        }

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The sum of the terms on pictures that were made a little worse."""
        maps = self.network(roughened(to_tensor(batch["images"]), draw))
        rows = batch["objects"]
        heat = heats(rows)
        terms = {
            "centres": focal_loss(maps.heat, heat.amax(1), (rows[..., 0] >= 0).sum()),
            **object_losses(maps, rows, heat),
            "answers": answer_loss(maps.answers, batch["answers"]),
        }
        loss = torch.stack(list(terms.values())).sum() + (ANSWERS - 1) * terms["answers"]
        return loss, terms

    def validate(self) -> dict[str, float]:
        """Shares of held-out scenes, or of their objects, that are told rightly.

        ``objects``: all kinds of a scene with their numbers, and nothing else; ``counts``: the
        same, of scenes with several of a kind; ``kinds``: objects that are seen as what they are,
        where they are; ``colours``: of these, those with the right colour; ``overlap``: of these,
        the mean intersection over union. Then the questions, each where it is asked.
        """
        tally: dict[str, list[Tensor]] = {}
        for maps, rows, answers in self._tested():
            for name, right in _marks(maps, rows, answers).items():
                tally.setdefault(name, []).append(right.float())
        return {
            name: marks.mean().item()
            for name, marks in ((name, torch.cat(parts)) for name, parts in tally.items())
            if len(marks)
        }

    def grid(self) -> Image.Image:
        """Held-out pictures with what is seen in them."""
        chosen = np.arange(min(SHOWN, len(self.held_out.pictures)))
        pictures = self.held_out.pictures.pictures(chosen)
        images = to_tensor(torch.from_numpy(pictures).to(self.device))
        seen = objects(self.network(images))
        marked = [self._marked(picture, seen, k) for k, picture in enumerate(pictures)]
        return sheet(np.stack(marked), columns=4)

    def export(self, folder: Path) -> None:
        """Write ``judge.safetensors``, 8-bit, with its words and sizes in the metadata."""
        words = {"detector": json.dumps(asdict(self.recipe.params))}
        save_packed(folder / "judge.safetensors", self.network.state_dict(), words)

    def _tested(self) -> Iterator[tuple[Maps, Tensor, Tensor]]:
        for first in range(0, len(self.held_out.pictures), TESTED):
            chosen = np.arange(first, min(first + TESTED, len(self.held_out.pictures)))
            pictures = torch.from_numpy(self.held_out.pictures.pictures(chosen))
            rows, answers = self.held_out.objects[chosen], self.held_out.answers[chosen]
            maps: Maps = self.network(to_tensor(pictures.to(self.device)))
            yield (
                maps,
                torch.from_numpy(rows).to(self.device),
                torch.from_numpy(answers).to(self.device),
            )

    def _marked(self, picture: np.ndarray, seen: Objects, k: int) -> np.ndarray:
        large = Image.fromarray(picture).resize((256, 256))
        pen = ImageDraw.Draw(large)
        for n in (seen.scores[k] > FOUND).nonzero()[:, 0].tolist():
            left, top, right, bottom = (256 * seen.boxes[k, n]).tolist()
            pen.rectangle((left, top, max(left, right), max(top, bottom)), outline="red")
            name = self.recipe.params.kinds[int(seen.kinds[k, n])]
            pen.text((left + 2, top), f"{name} {seen.scores[k, n]:.2f}", fill="red")
        return np.asarray(large)


def heats(rows: Tensor) -> Tensor:
    """For each object of rows (b, n, 6) a bump at its centre: (b, n, h, w), 1 in the centre's cell.

    The bump is as wide and high as the box is (Liu et al. 2020, TTFNet, equation 2); where no
    object is, it is flat 0.
    """
    low, high = rows[..., 2:4] * CELLS, rows[..., 4:] * CELLS
    centres = ((low + high) / 2).floor().clamp(0, CELLS - 1)
    spread = (SPREAD * (high - low)).clamp_min(NARROWEST)
    steps = torch.arange(CELLS, device=rows.device)
    across, down = (
        (-(((steps - centres[..., k, None]) / spread[..., k, None]) ** 2) / 2).exp() for k in (0, 1)
    )
    there = (rows[..., 0] >= 0)[..., None, None]
    return down[..., :, None] * across[..., None, :] * there


def focal_loss(logits: Tensor, heat: Tensor, count: Tensor) -> Tensor:
    """The focal loss of centres (Zhou et al. 2019, equation 1, α = 2, β = 4), for each object.

    Cells near a centre are forgiven for looking like one.
    """
    chance, centre = logits.sigmoid(), heat == 1
    hit = (1 - chance) ** 2 * F.logsigmoid(logits)
    miss = (1 - heat) ** 4 * chance**2 * F.logsigmoid(-logits)
    return -torch.where(centre, hit, miss).sum() / count.clamp_min(1)


def object_losses(maps: Maps, rows: Tensor, heat: Tensor) -> Metrics:
    """Cross-entropy of kinds and colours, L1 of boxes, in the cells around each centre.

    Every object weighs the same, however many cells tell of it.
    """
    nearest = heat * (heat == heat.amax(1, keepdim=True)) * (heat > NEAR)
    shares = nearest / nearest.sum((2, 3), keepdim=True).clamp_min(1e-6)
    b, n, y, x = shares.nonzero(as_tuple=True)
    weights, told = shares[b, n, y, x], rows[b, n]
    weights = weights / weights.sum().clamp_min(1e-6)

    def at(values: Tensor) -> Tensor:
        return values.permute(0, 2, 3, 1)[b, y, x].float()

    low, high = told[:, 2:4] * CELLS, told[:, 4:] * CELLS
    middles = (low + high) / 2 - torch.stack([x, y], 1) - 0.5
    boxes = torch.cat([middles, (high - low).log()], 1)
    return {
        "kinds": (F.cross_entropy(at(maps.kinds), told[:, 0].long(), reduction="none") @ weights),
        "colours": F.cross_entropy(at(maps.colours), told[:, 1].long(), reduction="none") @ weights,
        "boxes": (at(maps.boxes) - boxes).abs().sum(1) @ weights,
    }


def answer_loss(logits: tuple[Tensor, ...], answers: Tensor) -> Tensor:
    """The mean cross-entropy of the questions, each where it is asked (not −100)."""
    asked = (answers >= 0).sum().clamp_min(1)
    losses = [
        F.cross_entropy(said.float(), answers[:, k], reduction="sum")
        for k, said in enumerate(logits)
    ]
    return torch.stack(losses).sum() / asked


def _marks(maps: Maps, rows: Tensor, answers: Tensor) -> dict[str, Tensor]:
    """Right (1) or wrong (0) for each thing that is asked of these pictures."""
    seen = objects(maps)
    sure, there = seen.scores > FOUND, rows[..., 0] >= 0
    kinds = maps.kinds.shape[1]
    found = _numbers(seen.kinds, sure, kinds)
    true = _numbers(rows[..., 0].long().clamp_min(0), there, kinds)
    whole = (found == true).all(1)
    overlap = iou(rows[..., 2:], seen.boxes) * sure[:, None]
    overlap = overlap * (rows[..., 0, None] == seen.kinds[:, None])
    best, which = overlap.max(2)
    matched = there & (best > MATCHED)
    colours = seen.colours.gather(1, which) == rows[..., 1]
    marks = {
        "objects": whole,
        "counts": whole[true.amax(1) > 1],
        "kinds": matched[there],
        "colours": colours[matched],
        "overlap": best[matched],
    }
    for k, name in enumerate(("place", "hour", "season", "weather", "style")):
        asked = answers[:, k] >= 0
        marks[name] = (maps.answers[k].argmax(1) == answers[:, k])[asked]
    return marks


def _numbers(kinds: Tensor, chosen: Tensor, count: int) -> Tensor:
    """How many of each kind (b, count) are among the chosen of kinds (b, n)."""
    return torch.zeros(len(kinds), count, device=kinds.device).scatter_add_(
        1, kinds, chosen.float()
    )

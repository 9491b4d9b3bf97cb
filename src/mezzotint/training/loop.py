"""The training loop, one for every task.

A run is a function of its recipe: the loop keeps weights, their average, the optimizer and a step,
and everything else follows from the step. Starting a run again goes on after its last checkpoint
and ends in the same bits.
"""

import io
import math
import signal
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mezzotint.errors import InputError, writing
from mezzotint.files import whole_folder, write_whole
from mezzotint.nn.precision import autocast, multiplies
from mezzotint.training import checkpoint
from mezzotint.training.draw import Draw
from mezzotint.training.ema import EMA
from mezzotint.training.exports import channels_last
from mezzotint.training.journal import Journal
from mezzotint.training.muon import Muon, decaying
from mezzotint.training.process_group import Group
from mezzotint.training.recipe import Recipe
from mezzotint.training.schedule import lr_scale
from mezzotint.training.task import Batch, Metrics, Task

STOP_CHECK = 16  # steps between agreements of several processes on whether to stop


class Interrupted(SystemExit):
    """A signal ended the run after its state was saved; the code is 128 + the signal."""


def train(task: Task, recipe: Recipe, folder: Path, group: Group) -> None:
    """Train ``task`` as the recipe says, from the last checkpoint in ``folder`` on.

    Raises:
        InputError: the loss is no longer finite, or ``folder`` cannot be used.
        Interrupted: SIGINT or SIGTERM came; the state was saved.
    """
    with (
        Journal(folder, recipe.name, recipe.steps, recipe.batch, group.leads) as journal,
        _signals() as signals,
    ):
        run = _Run(task, recipe, folder, group, journal)
        with ThreadPoolExecutor(1) as reader:
            upcoming = reader.submit(task.batch, run.draw(run.step))
            while run.step < recipe.steps:
                batch, draw = upcoming.result(), run.draw(run.step)
                if run.step + 1 < recipe.steps:
                    upcoming = reader.submit(task.batch, run.draw(run.step + 1))
                run.advance(batch, draw)
                if run.may_stop and group.any(bool(signals)):
                    run.save()
                    journal.say(
                        f"stopped after step {run.step} of {recipe.steps} and saved: "
                        "the same command goes on from here"
                    )
                    raise Interrupted(128 + (signals or [signal.SIGINT])[0])
        run.finish()


class _Run:
    """The state of a run, and the one step that changes it."""

    def __init__(
        self, task: Task, recipe: Recipe, folder: Path, group: Group, journal: Journal
    ) -> None:
        self.task, self.recipe, self.folder = task, recipe, folder
        self.group, self.journal = group, journal
        self.network = network = channels_last(task.network.to(group.device)).train()
        self.weights = [weight for weight in network.parameters() if weight.requires_grad]
        self.optimizer = _optimizer(network, recipe)
        self.ema = EMA(network, recipe.ema)
        self.step = checkpoint.restore(folder, network, self.ema, self.optimizer, journal.say)
        self.saved_at = time.monotonic()
        if self.step:
            journal.say(f"going on after step {self.step} of {recipe.steps}")
        if recipe.bf16 and not multiplies(torch.bfloat16, group.device.type):
            journal.say("this processor has no products in bfloat16: computing in float32")
        journal.begin(self.step)
        self._sums: Metrics = {}
        self._summed = 0
        objective = _Objective(task)
        self.objective = DistributedDataParallel(objective) if group.size > 1 else objective

    @property
    def may_stop(self) -> bool:
        """Whether all processes look for signals after this step."""
        return self.group.size == 1 or self.step % STOP_CHECK == 0

    def draw(self, step: int) -> Draw:
        """The random numbers of a step."""
        rows = self.group.rows(self.recipe.batch)
        return Draw(self.recipe.seed, step, self.recipe.batch, rows, self.group.device)

    def advance(self, batch: Batch, draw: Draw) -> None:
        """Take one optimizer step, and do what falls due after it."""
        recipe, device = self.recipe, self.group.device
        scale = lr_scale(
            self.step, recipe.steps, recipe.warmup, recipe.decay_share, recipe.decay_shape
        )
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.lr * scale
        batch = {name: rows.to(device, non_blocking=True) for name, rows in batch.items()}
        with autocast(device, recipe.bf16):
            loss, metrics = self.objective(batch, draw)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.weights, recipe.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.update(self.step)
        self.step += 1
        self._sum({"loss": loss.detach(), **metrics, "grad_norm": norm})
        self.journal.advance()
        self._what_is_due()

    def save(self) -> None:
        """Write a checkpoint, unless the weights are no longer numbers."""
        self._report()
        if self.group.leads:
            checkpoint.save(self.folder, self.step, self.network, self.ema, self.optimizer)
        self.saved_at = time.monotonic()
        self.group.wait()

    def finish(self) -> None:
        """Save the last state and write the averaged network into ``export``."""
        if not (self.folder / f"step-{self.step:08d}").exists():
            self.save()
        if self.group.leads:
            with self._evaluating(), whole_folder(self.folder / "export") as export:
                self.task.export(export)
            self.journal.say(f"{self.recipe.name}: done, see {self.folder / 'export'}")
        self.group.wait()

    def _what_is_due(self) -> None:
        recipe, step = self.recipe, self.step
        last = step == recipe.steps
        if step % recipe.log_every == 0 or last:
            self._report()
        # several processes cannot agree on a clock for free, so they save by the step alone
        late = self.group.size == 1 and time.monotonic() - self.saved_at > 60 * recipe.save_minutes
        if late or step % recipe.save_every == 0 or last:
            self.save()
        if self.group.leads and (step % recipe.validate_every == 0 or last):
            with self._evaluating():
                figures = self.task.validate()
            self.journal.held_out(step, figures)
        if self.group.leads and (step % recipe.grid_every == 0 or last):
            with self._evaluating():
                _save_picture(self.folder, step, self.task)

    @contextmanager
    def _evaluating(self) -> Generator[None]:
        self.network.eval()
        # a graph for each of the batches here would cost more than it wins
        eager = torch.compiler.set_stance("force_eager") if self.recipe.compile else nullcontext()
        with (
            eager,
            self.journal.aside(),
            self.ema.applied(),
            torch.no_grad(),
            autocast(self.group.device, self.recipe.bf16),
        ):
            yield
        self.network.train()

    def _sum(self, values: Metrics) -> None:
        # kept on the device: bringing a number to the host each step would make it wait
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach().float()
        self._summed += 1

    def _report(self) -> None:
        if not self._summed:
            return
        means = torch.stack(list(self._sums.values())) / self._summed
        if self.group.size > 1:
            dist.all_reduce(means)
            means /= self.group.size
        values = dict(zip(self._sums, means.tolist(), strict=True))
        self._sums, self._summed = {}, 0
        if not all(math.isfinite(value) for value in values.values()):
            raise InputError(
                f"the loss is no longer finite at step {self.step}: lower the recipe's lr "
                f"(it is {self.recipe.lr:g})"
            )
        self.journal.report(self.step, {**values, "lr": self.optimizer.param_groups[0]["lr"]})


class _Objective(nn.Module):
    """The task's loss as a module, which is what data parallelism can share out."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.network = task.network
        self._loss = task.loss

    def forward(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        return self._loss(batch, draw)


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    if recipe.optimizer == "muon":
        return Muon(network, recipe.lr, recipe.betas, recipe.weight_decay)
    groups = decaying(network, recipe.weight_decay)
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=recipe.betas, fused=True)


def _save_picture(folder: Path, step: int, task: Task) -> None:
    buffer = io.BytesIO()
    task.grid().save(buffer, "PNG")
    grids = folder / "grids"
    with writing(grids):
        grids.mkdir(exist_ok=True)
    write_whole(grids / f"step-{step:08d}.png", buffer.getvalue())


@contextmanager
def _signals() -> Generator[list[int]]:
    """Gather SIGINT and SIGTERM in a list instead of dying of them; a second SIGINT does kill."""
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if number == signal.SIGINT:  # but `timeout`, for one, sends SIGTERM twice at once
            signal.signal(number, before[number])

    watched: list[int] = [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.signal(number, note) for number in watched}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

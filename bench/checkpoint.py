"""How quick a Stable Diffusion 1.5 of full size is here: `python bench/checkpoint.py`.

The networks are diffusers' own at random weights, saved as a diffusers folder in float32, 4.3 GB.
Both libraries load it in fresh processes, in turn. Writes a table into docs/benchmarks.md.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from speed import REPORT

from mezzotint.bench.page import machine, write

TIMES = 5
TESTS = Path(__file__).parents[1] / "tests"

MAKE = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from pathlib import Path
import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel
import references

folder = Path(sys.argv[1])
config = CLIPTextConfig(
    hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
    vocab_size=49408, hidden_act="quick_gelu", bos_token_id=519, eos_token_id=520,
)
StableDiffusionPipeline(
    vae=AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        sample_size=512,
    ),
    text_encoder=CLIPTextModel(config),
    tokenizer=references.clip_tokenizer(folder / "words"),
    unet=UNet2DConditionModel(cross_attention_dim=768, sample_size=64),
    scheduler=PNDMScheduler(**references.SCALED_LINEAR, skip_prk_steps=True),
    safety_checker=None, feature_extractor=None, requires_safety_checker=False,
).save_pretrained(folder / "model")
"""

MEASURE = """
import json, resource, sys, time
model, steps = sys.argv[1], int(sys.argv[2])
IMPORT
start = time.perf_counter()
pipe = LOAD
loaded = time.perf_counter() - start
start = time.perf_counter()
if steps:
    DRAW
drawn = time.perf_counter() - start
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps([loaded, drawn, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit]))
"""
OURS = (
    ("IMPORT", "import mezzotint.pipeline.load as mz; import torch"),
    ("LOAD", "mz.load(model, device='cpu', engine='eager')"),  # as diffusers executes
    ("DRAW", "pipe.generate('the fox', steps=steps, seed=1)"),
)
LOW = (OURS[0], ("LOAD", OURS[1][1].replace(")", ", low_memory=True)")), OURS[2])
OURS_BF16 = (OURS[0], ("LOAD", OURS[1][1].replace(")", ", dtype='bf16')")), OURS[2])
LOW_BF16 = (OURS[0], ("LOAD", OURS_BF16[1][1].replace(")", ", low_memory=True)")), OURS[2])
THEIRS = (
    (
        "IMPORT",
        "import torch; from diffusers import StableDiffusionPipeline; import transformers\n"
        "from diffusers.utils import logging; logging.disable_progress_bar()",
    ),
    ("LOAD", "StableDiffusionPipeline.from_pretrained(model, low_cpu_mem_usage=True)"),
    ("DRAW", "pipe('the fox', num_inference_steps=steps)"),
)
THEIRS_BF16 = (
    THEIRS[0],
    ("LOAD", THEIRS[1][1].replace("True)", "True, dtype=torch.bfloat16)")),
    THEIRS[2],
)


def measured(script: tuple[tuple[str, str], ...], model: Path, steps: int) -> list[float]:
    """Seconds to load, seconds to draw, and peak bytes, in a process of its own."""
    code = MEASURE
    for name, text in script:
        code = code.replace(name, text)
    child = subprocess.run(
        [sys.executable, "-c", code, str(model), str(steps)],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(child.stdout.splitlines()[-1])


def section(steps: int) -> str:
    """The figures as Markdown."""
    load = os.getloadavg()[0]
    folder = Path(tempfile.mkdtemp(prefix="mezzotint-bench-"))
    try:
        subprocess.run([sys.executable, "-c", MAKE, str(folder)], check=True, capture_output=True)
        model = folder / "model"
        weights = sum(file.stat().st_size for file in model.rglob("*.safetensors"))
        runs = [(measured(OURS, model, 0), measured(THEIRS, model, 0)) for _ in range(TIMES + 1)]
        ours, theirs = (statistics.median(run[k][0] for run in runs[1:]) for k in (0, 1))
        loading = max(run[0][2] for run in runs)
        drawn, other = measured(OURS, model, steps), measured(THEIRS, model, steps)
        low = measured(LOW, model, steps)
        half = [measured(each, model, 1)[2] / 1e9 for each in (OURS_BF16, LOW_BF16, THEIRS_BF16)]
    finally:
        shutil.rmtree(folder)
    rows = [
        (
            "loading it, against diffusers",
            f"{ours:.2f} s / {theirs:.2f} s = {ours / theirs:.2f}",
            "0.5",
        ),
        ("peak memory of loading it / weights", f"{loading / weights:.2f}", "1.15"),
        ("peak memory of loading and drawing / weights", f"{drawn[2] / weights:.2f}", ""),
        ("the same of diffusers", f"{other[2] / weights:.2f}", ""),
        ("the same with `low_memory`", f"{low[2] / weights:.2f}", ""),
        ("peak memory of loading and drawing in bf16", f"{half[0]:.1f} GB", ""),
        ("the same with `low_memory`", f"{half[1]:.1f} GB", ""),
        ("the same of diffusers", f"{half[2]:.1f} GB", ""),
        (f"512 × 512, {steps} steps with guidance, float32", f"{drawn[1]:.0f} s", ""),
        ("the same of diffusers", f"{other[1]:.0f} s", ""),
    ]
    table = "\n".join(f"| {a} | {b} | {'≤ ' + c if c else ''} |" for a, b, c in rows)
    return (
        "## Stable Diffusion 1.5 at full size\n\n"
        f"| | measured | to reach |\n|---|---|---|\n{table}\n\n"
        f"Random weights in a diffusers folder, {weights / 1e9:.1f} GB in float32; loading is the "
        f"median of {TIMES} in turn, imports not counted, the file in the page cache. Both execute "
        f"eagerly, ours with the engine `eager`. On {machine()}; the load average was {load:.1f} "
        "when it began. Made by `python bench/checkpoint.py`.\n"
    )


if __name__ == "__main__":
    figures = section(int(sys.argv[1]) if sys.argv[1:] else 4)
    print(figures)
    write(REPORT, figures)

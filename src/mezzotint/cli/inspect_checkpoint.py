"""What `mezzotint inspect` tells of a checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mezzotint.families.files.describe import Contents

SHOWN = 3  # of tensors that nobody knows
TRAINING = (  # what kohya's trainer writes that is worth telling; it writes seventy more
    "ss_base_model_version",
    "ss_network_alpha",
    "ss_network_dim",
    "ss_network_module",
    "ss_num_epochs",
    "ss_num_train_images",
    "ss_output_name",
    "ss_resolution",
    "ss_sd_model_name",
    "ss_v2",
)


def checkpoint_facts(path: Path) -> list[str]:
    """Lines that say what the file or folder at ``path`` is and what of it matches.

    Raises:
        InputError: it is no file of tensors, or is damaged.
    """
    from mezzotint.families.files.describe import describe

    told = describe(path)
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files)
    lines = [f"{path}: {told.what}, {told.kind}, {size / 2**20:,.1f} MiB"]
    if not told.parts:
        lines += [
            f"tensors     {sum(told.contents.dtypes.values()):,}",
            f"parameters  {told.contents.parameters:,}",
            f"dtypes      {_dtypes(told.contents)}",
        ]
    for name, part in told.parts.items():
        fits = part.fault or "all match"
        lines.append(f"{name:<12}{part.kind}, {_counted(part.contents)}: {fits}")
    if told.stray:
        rest = ", …" if len(told.stray) > SHOWN else ""
        listed = f"{', '.join(told.stray[:SHOWN])}{rest}"
        lines.append(f"unexpected  {len(told.stray):,} tensors beside them: {listed}")
    lines += [f"{subject:<12}{note}" for subject, note in told.notes.items()]
    return lines + [
        f"metadata    {key[:100]!r}: {value[:200]!r}"
        for key, value in sorted(told.metadata.items())
        if not key.startswith("ss_") or key in TRAINING
    ]


def _counted(contents: "Contents") -> str:
    size = [] if contents.size is None else [f"{contents.size / 2**20:,.1f} MiB"]
    return ", ".join([f"{contents.parameters:,} parameters", *size, _dtypes(contents)])


def _dtypes(contents: "Contents") -> str:
    return ", ".join(f"{name} × {count:,}" for name, count in contents.dtypes.items())

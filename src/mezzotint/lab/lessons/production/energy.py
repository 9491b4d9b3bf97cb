"""What a drawing takes from the mains, where the machine has a meter that may be read."""

from collections.abc import Callable
from pathlib import Path

METERS = Path("/sys/class/powercap")  # Linux; the files are root's on most machines

Meter = Callable[[], float]
"""Joules since some moment, of the processors and all that runs on them."""


def meter(folder: Path = METERS) -> Meter | None:
    """The meter of this machine's processors, or None where there is none that may be read."""
    zones = [zone for zone in sorted(folder.glob("intel-rapl:*")) if zone.name.count(":") == 1]
    try:
        last = [_read(zone, "energy_uj") for zone in zones]
        ranges = [_read(zone, "max_energy_range_uj") for zone in zones]
    except (OSError, ValueError):
        return None
    if not zones:
        return None
    total = 0

    def joules() -> float:
        nonlocal total
        for k, zone in enumerate(zones):
            now = _read(zone, "energy_uj")
            total += now - last[k] if now >= last[k] else now - last[k] + ranges[k]  # it came round
            last[k] = now
        return total / 1e6

    return joules


def _read(zone: Path, name: str) -> int:
    return int((zone / name).read_text())

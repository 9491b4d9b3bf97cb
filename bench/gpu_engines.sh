#!/usr/bin/env bash
# Measure the engines on a GPU machine (or, slowly, without one) within ten minutes.
#
#   bench/gpu_engines.sh                              every shape, engines and whatever peers are there
#   SHAPES=tiny ROUNDS=1 bench/gpu_engines.sh         a dry run
#   MINUTES=20 SHAPES=sdxl,flux bench/gpu_engines.sh
#
# What comes back, in $OUT: benchmarks.md, and the rounds of a run that was stopped, with which the
# same command goes on. It needs src/ and the packages that it imports, but no network; peers that
# are not installed are named in the tables.
set -euo pipefail
cd "$(dirname "$0")/.."

SHAPES=${SHAPES:-storybook,sd15,sdxl,flux}
ENGINES=${ENGINES:-all}
PEERS=${PEERS:-diffusers,diffusers-compiled}
ROUNDS=${ROUNDS:-2}
OUT=${OUT:-runs/gpu/out}
MINUTES=${MINUTES:-9.5}
PYTHON=${PYTHON:-python3}

export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
mkdir -p "$OUT"

status=0 # interrupted rather than killed, so that it takes its models of gigabytes away
timeout --signal=INT --kill-after=30 "${MINUTES}m" \
    "$PYTHON" - "$SHAPES" "$ENGINES" "$PEERS" "$ROUNDS" "$OUT/benchmarks.md" <<'PYTHON' || status=$?
import sys
from functools import partial
from pathlib import Path

from mezzotint.bench import contestants
from mezzotint.bench.run import bench
from mezzotint.bench.stage import Settings
from mezzotint.errors import InputError

shapes, engines, peers, rounds, out = sys.argv[1:]
say = partial(print, flush=True)
try:
    asked = [*contestants.engines(engines), *contestants.peers(peers)]
    settings = Settings(shapes.split(","), asked, int(rounds), None, sys.executable, None)
    bench(settings, Path(out), say, lambda what, done, total: say(f"{what} {done}/{total}"))
except InputError as error:
    sys.exit(f"error: {error}")
except KeyboardInterrupt:
    sys.exit(75)
PYTHON

case $status in
0) echo "done in $((SECONDS / 60)) min: $OUT/benchmarks.md" ;;
75 | 124 | 130 | 137) echo "$MINUTES min are over: the same command goes on" && status=75 ;;
esac
exit "$status"

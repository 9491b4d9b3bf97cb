#!/usr/bin/env bash
# Train the whole chain on a GPU machine (or, slowly, without one) and hand the model back in pieces.
#
#   bench/gpu.sh                          the storybook chain, as on a CPU
#   CHAIN=smoke bench/gpu.sh              a dry run of a minute
#   MINUTES=9 bench/gpu.sh                stop in time, saved; the same command goes on
#   CHANGES=larger.toml bench/gpu.sh      fields of its recipes, a table a run: [denoiser] steps = 30000
#
# What comes back, in $OUT: model.tar.NN (cat model.tar.* | tar x), each at most 16 MiB; the logs,
# and the last sample grid. It needs src/ and the packages that it imports, but no network: set
# MEZZOTINT_CACHE to a folder with the world's art (its atlas-* is enough, and spares resvg), or
# RUNS to one with its data.
set -euo pipefail
cd "$(dirname "$0")/.."

CHAIN=${CHAIN:-storybook}     # storybook or smoke
RUNS=${RUNS:-runs/gpu}        # where the runs are, and are gone on with
OUT=${OUT:-$RUNS/out}         # what comes back
MINUTES=${MINUTES:-25}        # of training in this call
PYTHON=${PYTHON:-python3}
CHANGES=${CHANGES:-}          # a TOML file

export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
mkdir -p "$RUNS" "$OUT"

train=$RUNS/train.py
cat >"$train" <<'PYTHON'
import sys
import tomllib
from pathlib import Path

from mezzotint.errors import InputError
from mezzotint.training.run import run

if __name__ == "__main__":
    chain, out, *files = sys.argv[1:]
    try:
        changes = tomllib.loads(Path(files[0]).read_text()) if files else {}
        run(chain, out=out, **changes)
    except (InputError, OSError, tomllib.TOMLDecodeError) as error:
        sys.exit(f"error: {error}")
PYTHON

devices=$("$PYTHON" -c 'import torch; print(max(1, torch.cuda.device_count()))')
launch=("$PYTHON")
[ "$devices" -gt 1 ] && launch+=(-m torch.distributed.run --standalone --nproc-per-node="$devices")

status=0
left=$((MINUTES * 60))
if [ "$left" -gt 0 ]; then
    timeout --signal=TERM --kill-after=60 "$left" \
        "${launch[@]}" "$train" "$CHAIN" "$RUNS" ${CHANGES:+"$CHANGES"} || status=$?
else
    status=75
fi

rm -f "$OUT"/model.tar.* # of a run with more pieces than this one
[ "$status" -ne 0 ] || tar -C "$RUNS" -c model | split -b 16M -d - "$OUT/model.tar."

shopt -s nullglob # a run may be stopped before it has written a line
logs=("$RUNS"/*/recipe.json "$RUNS"/*/log.jsonl)
[ "${#logs[@]}" -eq 0 ] || tar -C "$RUNS" -czf "$OUT/logs.tar.gz" "${logs[@]#"$RUNS"/}"
grids=("$RUNS"/*/grids/*.png)
[ "${#grids[@]}" -eq 0 ] || cp "$(ls -t "${grids[@]}" | head -1)" "$OUT/grid.png"

case $status in
0) echo "done in $((SECONDS / 60)) min: $(du -sh "$OUT" | cut -f1) in $OUT" ;;
75 | 124 | 143) echo "$MINUTES min are over, saved in $RUNS: the same command goes on" && status=75 ;;
esac
exit "$status"

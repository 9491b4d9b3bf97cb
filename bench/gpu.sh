#!/usr/bin/env bash
# Train the whole chain on a GPU machine (or, slowly, without one) and hand the model back in pieces.
#
#   bench/gpu.sh                          the storybook chain, as on a CPU
#   CHAIN=smoke bench/gpu.sh              a dry run of a minute
#   MINUTES=9 bench/gpu.sh                stop in time, saved; the same command goes on
#   DENOISER='steps=30000;batch=256' …    fields of a recipe, as its TOML file would have them
#
# What comes back, in $OUT: model.tar.NN (cat model.tar.* | tar x), each at most 16 MiB; the logs,
# and the last sample grid. It needs src/ and the packages that it imports, but no network: set
# MEZZOTINT_CACHE to a folder with the world's art (its atlas-*.npz is enough, and spares resvg), or
# RUNS to one with its data.
set -euo pipefail
cd "$(dirname "$0")/.."

CHAIN=${CHAIN:-storybook}     # storybook or smoke
RUNS=${RUNS:-runs/gpu}        # where the runs are, and are gone on with
OUT=${OUT:-$RUNS/out}         # what comes back
MINUTES=${MINUTES:-25}        # of training in this call
PYTHON=${PYTHON:-python3}
AUTOENCODER=${AUTOENCODER:-}  # fields to change, parted by semicolons
CLIP=${CLIP:-}
DENOISER=${DENOISER:-}
PICTURES=${PICTURES:-}        # of the table [pictures], for all three

export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
mkdir -p "$RUNS" "$OUT"
ends=$((SECONDS + MINUTES * 60))
prefix=$([ "$CHAIN" = storybook ] || echo "$CHAIN-")

train=$RUNS/train.py
cat >"$train" <<'PYTHON'
import sys
from mezzotint.errors import InputError
from mezzotint.training.run import run

if __name__ == "__main__":
    try:
        run(sys.argv[1], out=sys.argv[2])
    except InputError as error:
        sys.exit(f"error: {error}")
PYTHON

devices=$("$PYTHON" -c 'import torch; print(max(1, torch.cuda.device_count()))')
launch=("$PYTHON")
[ "$devices" -gt 1 ] && launch+=(-m torch.distributed.run --standalone --nproc-per-node="$devices")

status=0
for name in autoencoder clip denoiser; do
    fields=${name^^}
    recipe=$RUNS/$name.toml
    {
        echo "base = \"$prefix$name\""
        echo "name = \"$name\""
        tr ';' '\n' <<<"${!fields}"
        [ -z "$PICTURES" ] || { echo '[pictures]'; tr ';' '\n' <<<"$PICTURES"; }
    } >"$recipe"
    left=$((ends - SECONDS))
    [ "$left" -gt 0 ] || { status=75; break; }
    timeout --signal=TERM --kill-after=60 "$left" "${launch[@]}" "$train" "$recipe" "$RUNS/$name" ||
        status=$?
    [ "$status" -eq 0 ] || break
done

rm -f "$OUT"/model.tar.* # of a run with more pieces than this one
[ "$status" -ne 0 ] || tar -C "$RUNS/denoiser" -c model | split -b 16M -d - "$OUT/model.tar."

shopt -s nullglob # a run may be stopped before it has written a line
(cd "$RUNS" && tar -czf - ./*.toml ./*/recipe.json ./*/log.jsonl) >"$OUT/logs.tar.gz"
grids=("$RUNS"/autoencoder/grids/*.png "$RUNS"/clip/grids/*.png "$RUNS"/denoiser/grids/*.png)
[ "${#grids[@]}" -eq 0 ] || cp "${grids[-1]}" "$OUT/grid.png"

case $status in
0) echo "done in $((SECONDS / 60)) min: $(du -sh "$OUT" | cut -f1) in $OUT" ;;
75 | 124 | 143) echo "$MINUTES min are over, saved in $RUNS: the same command goes on" && status=75 ;;
esac
exit "$status"

#!/bin/bash
# Here, with a network: roi, and every wheel of wheels.txt that the bare machine lacks, as two tars.   bash pack.sh FOLDER
# FOLDER then holds all that travels: bash FOLDER/run.sh STAGE...
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
root=$(git -C "$here" rev-parse --show-toplevel)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/wheels" "$work/site"
platforms=()
for name in manylinux_2_28 manylinux_2_27 manylinux_2_24 manylinux_2_17 manylinux2014 manylinux1; do
  platforms+=(--platform "${name}_x86_64")
done
python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 --implementation cp "${platforms[@]}" \
  -d "$work/wheels" -r "$here/wheels.txt"
for wheel in "$work"/wheels/*.whl; do (cd "$work/site" && unzip -qo "$wheel"); done
# of bitsandbytes' libraries one is needed, that of the machine's CUDA (43 MB of wheel become 2)
find "$work/site/bitsandbytes" -name 'libbitsandbytes_*' ! -name "*_cuda${CUDA:-130}.so" ! -name '*_cpu.so' -delete
tar -C "$work/site" -czf "$out/site.tgz" .
git -C "$root" archive HEAD roi profiles pyproject.toml | gzip >"$out/src.tgz"
cp "$here/run.sh" "$here/smoke.py" "$out/"
ls -l "$out"

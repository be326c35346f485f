#!/bin/bash
# On a bare machine with one GPU: bash run.sh STAGE...   (smoke probe device core large variants serve)
# What the machine lacks and roi itself come as two tars beside this file (pack.sh makes them). Everything lands in $OUT: roi.tgz, summary.txt.
# No stage stops another; each run has its own limit, is ended by SIGTERM, and what is there is packed after every run.
set -uo pipefail
: "${OUT:=/tmp/out}" "${SITE:=/tmp/site}" "${SRC:=/tmp/src}" "${GOT:=/tmp/got}" "${PYTHON:=python3}"
mkdir -p "$OUT" "$SITE" "$SRC" "$GOT/profiles" "$GOT/logs"
here=$(cd "$(dirname "$0")" && pwd)
[ -f "$SITE/.done" ] || { tar -C "$SITE" -xzf "$here/site.tgz" && tar -C "$SRC" -xzf "$here/src.tgz" && touch "$SITE/.done"; }
export PYTHONPATH=${FAKE:+$FAKE:}$SRC:$SITE PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 TOKENIZERS_PARALLELISM=false COLUMNS=80
began=$(date +%s)
limit=${LIMIT_S:-560}

say() { echo "[$(($(date +%s) - began)) s] $*" | tee -a "$GOT/summary.txt"; }

pack() {
  tar -C "$(dirname "$GOT")" -czf "$OUT/roi.tgz" "$(basename "$GOT")" 2>/dev/null
  cp "$GOT/summary.txt" "$OUT/summary.txt" 2>/dev/null
}

# step NAME SECONDS COMMAND...: run it for at most SECONDS, if this call has two thirds of them left
step() {
  local name=$1 most=$2 left started code
  shift 2
  left=$((limit - ($(date +%s) - began)))
  if [ "$left" -lt $((most * 2 / 3)) ]; then
    say "skipped $name: $left s left"
    return
  fi
  [ "$most" -gt "$left" ] && most=$left
  started=$(date +%s)
  timeout -s TERM -k 20 "$most" "$@" >"$GOT/logs/$name.txt" 2>&1
  code=$?
  say "$name rc=$code $(($(date +%s) - started)) s"
  [ "$code" -ne 0 ] && tail -n 4 "$GOT/logs/$name.txt" | cut -c1-300
  pack
}

roi() {
  local name=$1 most=$2
  shift 2
  step "$name" "$most" "$PYTHON" -m roi profile "$@" --profiles "$GOT/profiles"
}

machine() {
  { nvidia-smi; nvidia-smi -q -d CLOCK,POWER,ECC,COMPUTE,PERFORMANCE | head -120; free -g; nproc; "$PYTHON" -m pip list; } >"$GOT/logs/machine.txt" 2>&1
  nvidia-smi --query-gpu=name,memory.total,driver_version,power.limit,clocks.max.sm --format=csv,noheader 2>/dev/null | tee -a "$GOT/summary.txt"
}

smoke() { # every CUDA branch once, small: what crashes shows here
  local which
  for which in train trainers infer; do
    step "smoke-$which" 140 "$PYTHON" "$here/smoke.py" "$GOT/smoke" "$which"
    grep -E '^(ok|FAIL)' "$GOT/logs/smoke-$which.txt" | cut -c1-150
  done
}

probe() { roi probe 90 probe; cat "$GOT/logs/probe.txt"; }

device() { roi device 130 device --budget 75s; }

four=(--micro-batch "1,4" --seq "512,2048" --no-find-largest)
core() {
  roi llama8b-lora 120 train llama-3.1-8b "${four[@]}" --trainer plain --budget 60s
  roi llama8b-qlora-hf 130 train llama-3.1-8b --method qlora "${four[@]}" --budget 70s
  roi llama8b-lora-hf 105 train llama-3.1-8b "${four[@]}" --budget 50s
  roi qwen8b-lora 105 train qwen3-8b "${four[@]}" --budget 50s
  roi llama3b-lora 90 train llama-3.2-3b "${four[@]}" --budget 40s
  roi llama8b-dora 110 train llama-3.1-8b --method dora "${four[@]}" --budget 50s
}

large() {
  roi llama8b-infer 140 infer llama-3.1-8b --batch "1,8" --prompt "128,2048" --decode 32 --budget 75s
  roi qwen32b-qlora 150 train qwen2.5-32b --method qlora --micro-batch "1,2" --seq "512,2048" --no-find-largest --budget 80s
  roi moe-lora 130 train qwen3-30b-a3b --targets attention --micro-batch "1,2" --seq "512,2048" --no-find-largest --budget 60s
  roi llama8b-search 150 train llama-3.1-8b --budget 120s
  roi llama8b-nf4 110 infer llama-3.1-8b --dtype nf4 --batch "1,8" --prompt "128,2048" --decode 32 --budget 45s
}

variants() { # a profile says under which allocator and attention it was made
  local one=(train llama-3.1-8b --micro-batch 4 --seq 2048 --no-find-largest --budget 20s)
  TORCH_CUDNN_SDPA_DEPRIORITIZED=1 roi llama8b-flash 70 "${one[@]}"
  PYTORCH_ALLOC_CONF=expandable_segments:True roi llama8b-expandable 70 "${one[@]}"
  roi llama8b-qlora-plain 80 train llama-3.1-8b --method qlora --trainer plain --micro-batch 1 --seq "512,2048" --no-find-largest --budget 30s
  roi llama8b-liger 70 "${one[@]}" --kernels liger
  seq 50 50 2000 >"$GOT/lengths.txt"
  roi llama8b-padded 70 "${one[@]}" --lengths "$GOT/lengths.txt"
  roi llama8b-packed 70 "${one[@]}" --lengths "$GOT/lengths.txt" --packing
  roi llama8b-compiled 240 "${one[@]}" --compile
  roi llama8b-int8 90 train llama-3.1-8b --method lora-int8 "${four[@]}" --budget 30s
}

serve() { # transformers serve, continuous batching, random weights of the real shape written to the machine's disk
  roi serve 400 serve --launch transformers "${SERVED:-llama-3.1-8b}" --engine-args "--dtype bfloat16 --cb-max-batch-tokens 2048" \
    --start-timeout 4m --concurrency "1,8,32" --input-tokens "128,1024" --output-tokens 64 --budget 180s
}

machine
for stage in "$@"; do
  case $stage in
    smoke | probe | device | core | large | variants | serve) say "== $stage" && "$stage" ;;
    *) say "no stage $stage" ;;
  esac
done
pack
say "files: $(find "$GOT/profiles" -name '*.json' | wc -l) profiles, $(du -sh "$GOT" | cut -f1)"

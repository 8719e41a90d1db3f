#!/usr/bin/env bash
# Measures all there is to measure on one GPU (or, with --device cpu, all but the GPU's own on a CPU) and writes one JSON
# file; from a checkout, or from the folder that unpack.sh made, where it needs nothing else. A step that fails is recorded,
# the others go on, and the exit status is 1. What is measured so far is in the file after each step; with --work, a second
# call goes on where the first was ended.
# gpu.sh [--device cuda:0] [--out gpu.json] [--python python3] [--turns 7] [--steps N] [--modes LIST] [--peer-modes LIST] [--limit SECONDS] [--work DIR]
set -euo pipefail
start=$PWD
cd "$(dirname "$0")/.."
root=$PWD

usage() {
  echo "Cannot measure: expected $1, got $2" >&2
  echo 'hint: bench/gpu.sh --device cuda:0 --out gpu.json' >&2
  exit 2
}

device=cuda:0 out=gpu.json python='' turns=7 steps='' limit=900
modes='' peer_modes='' work=''
while [ $# -gt 0 ]; do
  case $1 in
    --device) device=${2-} ;;
    --out) out=${2-} ;;
    --python) python=${2-} ;;
    --turns) turns=${2-} ;;
    --steps) steps=${2-} ;;
    --modes) modes=${2-} ;;
    --peer-modes) peer_modes=${2-} ;;
    --limit) limit=${2-} ;;
    --work) work=${2-} ;;
    *) usage 'one of --device --out --python --turns --steps --modes --peer-modes --limit --work' "$1" ;;
  esac
  [ $# -ge 2 ] || usage "a value after $1" nothing
  shift 2
done
case $out in '') usage 'a file after --out' nothing ;; /*) ;; *) out=$start/$out ;; esac
case $device in
  cuda | cuda:[0-9] | cuda:[0-9][0-9])
    gpu=${device#cuda} gpu=${gpu#:}
    # An epoch: much fewer are over before a GPU's clock has settled.
    steps=${steps:-235}
    # The first is what training takes, and what ratios are of.
    modes=${modes:-loop,graph,eager,xla,loop+xla}
    peer_modes=${peer_modes:-eager,compile,cudagraphs,loop,loop+compile}
    ;;
  cpu) gpu='' steps=${steps:-40} modes=${modes:-graph,eager,loop,xla,loop+xla} peer_modes=${peer_modes:-eager,compile} ;;
  *) usage '--device cpu or cuda[:N]' "$device" ;;
esac
for number in "$turns" "$steps" "$limit"; do
  [[ $number =~ ^[1-9][0-9]*$ ]] || usage 'whole numbers from 1' "${number:-nothing}"
done

program=$root/bin/bn-train.js node=node
if [ -x bn-train ]; then program=$root/bn-train; fi
if [ -x node/bin/node ]; then node=$root/node/bin/node; fi
[ -e dist/report/speedTable.js ] && [ -e bench/dist/main.js ] || usage 'a built checkout, or the folder that unpack.sh made' "$root"
# PyTorch counts the fastest GPU first unless told to count as nvidia-smi and bn-train do.
export CUDA_DEVICE_ORDER=PCI_BUS_ID

case $work in
  '') work=$(mktemp -d) && left=$work ;;
  /*) ;;
  *) work=$start/$work ;;
esac
mkdir -p "$work"
# Empty where none are taken.
touch "$work/samples"
# What still runs is ended before its folder goes.
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "${left-}"' EXIT
trap 'exit 130' INT TERM
report() { "$node" bench/dist/main.js "$work" "$out" "$device" "$1"; }

# step NAME COMMAND…: runs it, keeps what it said and whether it failed, and brings the report up to date.
step() {
  local name=$1 started=$EPOCHREALTIME code=0
  shift
  if [ -e "$work/$name.step" ]; then return "$(sed -n 2p "$work/$name.step")"; fi
  echo "$name ($SECONDS s)" >&2
  # Aside, as bash hears no signal while it runs a command itself.
  timeout --kill-after=10 "$limit" "$@" >"$work/$name.stdout" 2>"$work/$name.stderr" </dev/null &
  wait $! || code=$?
  printf '%s\n' "$*" "$code" "$started" "$EPOCHREALTIME" >"$work/$name.step"
  if [ "$code" -ne 0 ]; then
    tail -n 3 "$work/$name.stderr" >&2
    echo "$name: exit status $code" >&2
  fi
  report under-way
  return "$code"
}

own() { step "$@" --device "$device"; }

if [ "$device" != cpu ]; then
  step gpu nvidia-smi --id="${gpu:-0}" --query-gpu=name,driver_version,memory.total,compute_cap --format=csv,noheader,nounits || true
fi
step doctor "$program" doctor --json || true
own verify "$program" verify --json || true

# Which ways to train work here; one that does not would end the comparison for all.
usable=
for mode in ${modes//,/ }; do
  if own "probe-bn-train-$mode" "$program" bench --modes "$mode" --steps 1 --turns 1 --json; then usable+=,$mode; fi
done
usable=${usable#,}

sees="import numpy, torch; assert '$device' == 'cpu' or torch.cuda.is_available(), 'PyTorch sees no GPU'; print(torch.__version__)"
peer=()
if step pytorch "${python:-python3}" -c "$sees"; then
  data=$("$node" bench/dist/main.js "$work" data)
  serves=("${python:-python3}" -B "$root/bench/peers/pytorch.py" --device "$device" --modes)
  found=
  for mode in ${peer_modes//,/ }; do
    # shellcheck disable=SC2016
    if step "probe-pytorch-$mode" bash -c 'echo "RUN scratch/${0} 1" | "$@"' "$mode" "${serves[@]}" "$mode" --norms scratch --data-dir "$data"; then found+=,$mode; fi
  done
  if [ -n "$found" ]; then peer=(--peer "$(printf '%q ' "${serves[@]}" "${found#,}")"); fi
fi

# All in one run, so that what slows the machine down does so for all.
measure=("$program" bench --json --steps "$steps" --turns "$turns" ${usable:+--modes "$usable"})
if ! own bench "${measure[@]}" ${peer[@]+"${peer[@]}"} && [ ${#peer[@]} -gt 0 ]; then own bench-alone "${measure[@]}" || true; fi

train() {
  local name=$1 epochs=$2
  shift 2
  if [ ! -e "$work/$name.step" ]; then rm -rf "$work/run-$name"; fi
  step "$name" "$program" scratch --epochs "$epochs" --seed 1 --json --run-dir "$work/run-$name" "$@"
}
train training 10 --device "$device" || true
if [ "$device" != cpu ]; then
  train training-cpu 10 --device cpu || true
fi
if [ "$device" != cpu ] && [ ! -e "$work/sampled.step" ]; then
  # Over a run that is long enough; with each sample goes how many epochs were done.
  while :; do
    echo "$(($(wc -l <"$work/run-sampled/metrics.csv") - 1)), $(nvidia-smi --id="${gpu:-0}" --query-gpu=utilization.gpu,memory.used,power.draw,clocks.sm --format=csv,noheader,nounits)"
    sleep 0.2
  done >"$work/samples" 2>/dev/null &
  sampler=$!
  train sampled 100 --device "$device" || true
  kill "$sampler"
fi
report finished

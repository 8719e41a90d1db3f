#!/usr/bin/env bash
# Packs what bn-train needs on a machine without registries, compiler or Python, into parts that can be carried there: Node,
# the built program, the native runtime that is installed here, the data set, and the benchmark with PyTorch's part of it.
# pack.sh [--device cuda|cpu] [--without node,data,nvidia,nvidia/NAME] [--size 60M] [--compress xz|zstd|gzip|none] OUT_DIR
set -euo pipefail
start=$PWD
cd "$(dirname "$0")/.."
root=$PWD

usage() {
  echo "Cannot pack: expected $1, got $2" >&2
  echo 'hint: bench/pack.sh --device cuda OUT_DIR' >&2
  exit 2
}
cannot() {
  echo "Cannot pack: expected $1, got $2" >&2
  echo "hint: $3" >&2
  exit 1
}

device=cuda without=, out=
split=()
while [ $# -gt 0 ]; do
  case $1 in
    --device) device=${2-} && shift ;;
    --without) without=,${2-}, && shift ;;
    --size | --compress) split+=("$1" "${2-}") && shift ;;
    -*) usage 'OUT_DIR' "$1" ;;
    *)
      [ -z "$out" ] || usage 'one OUT_DIR' "$out and $1"
      out=$1
      ;;
  esac
  shift $(($# > 0))
done
[ -n "$out" ] || usage 'OUT_DIR' nothing
case $out in /*) ;; *) out=$start/$out ;; esac
[ ! -e "$out" ] || usage "no $out yet" one
case $device in
  cuda) package=tensorflow ;;
  cpu) package=tensorflow-cpu ;;
  *) usage '--device cuda or cpu' "${device:-nothing}" ;;
esac
for word in ${without//,/ }; do
  [[ $word =~ ^(node|data|nvidia(/[a-z_]+)?)$ ]] || usage '--without some of node,data,nvidia,nvidia/NAME' "$word"
done
leaves_out() { [[ $without == *,$1,* ]]; }

built=bench/dist/main.js
if [ ! -e dist/.tsbuildinfo ] || [ ! -e $built ] || [ -n "$(find src bench/gpu ./tsconfig.json bench/tsconfig.json -newer $built -type f)" ]; then npm run -s build; fi

# ask EXPRESSION: its value, where the program's own modules say what belongs to this build of it.
ask() {
  node --input-type=module -e "
    import { cacheDirectory } from './dist/common/files.js';
    import { addonVersion } from './dist/runtime/loadAddon.js';
    import { findFashionMnist } from './dist/data/fashionMnist.js';
    console.log($1);"
}
cache=$(ask 'cacheDirectory()')
runtime=
for folder in "$cache/runtime/$package"-[0-9]*-"$(ask 'addonVersion()')"; do
  if [ -z "$runtime" ] && [ -e "$folder/runtime.json" ]; then runtime=$folder; fi
done
[ -n "$runtime" ] || cannot "the pinned $package in $cache/runtime" none \
  "bn-train setup$([ "$device" = cpu ] || echo ' --cuda'), in an environment without a TensorFlow of Python's"
data=$(ask 'await findFashionMnist()')
[ -d "$data" ] || leaves_out data || cannot Fashion-MNIST none 'bn-train data'
node=$(node -p process.execPath)
! ldd "$node" | grep -q libnode || leaves_out node || cannot 'a Node in one file' "$node and libnode" 'pack with another Node on the PATH'

mkdir -p "$(dirname "$out")"
stage=$(mktemp -d "$out.packing-XXXXXX")
trap 'rm -rf "$stage"' EXIT

# put FILE… FOLDER: without a copy of their bytes where the file system can do that.
put() {
  mkdir -p "${!#}"
  cp -al "$@" 2>/dev/null || cp -a "$@"
}
program=$stage/bn-train
mkdir "$program"
npm pack --silent --ignore-scripts --pack-destination "$stage" >/dev/null
tar -xzf "$stage"/*.tgz -C "$program" --strip-components 1 --exclude package/bench
put bench "$program"
# The packages of production, without what only a debugger reads.
npm ls --omit=dev --all --parseable | sed -n "s,^$root/node_modules/,,p" | grep -v /node_modules/ | sort -u |
  while read -r name; do put "node_modules/$name" "$program/node_modules/$(dirname "$name")"; done
find "$program/node_modules" "$program/dist" -name '*.map' -delete
if ! leaves_out node; then put "$node" "$program/node/bin"; fi
if ! leaves_out data; then put "$data"/* "$program/cache/bn-train/fashion-mnist"; fi
put "$runtime" "$program/cache/bn-train/runtime"
for word in ${without//,/ }; do
  case $word in nvidia*) rm -r "$program/cache/bn-train/runtime/$(basename "$runtime")/$word" ;; esac
done
# The marker of a finished runtime is not to miss what was left out on purpose.
FOLDER=$program/cache/bn-train/runtime/$(basename "$runtime") node --input-type=module -e "
  import { existsSync, readFileSync } from 'node:fs';
  import { writeFileAtomic } from './dist/common/files.js';
  const file = process.env.FOLDER + '/runtime.json';
  const marker = JSON.parse(readFileSync(file, 'utf8'));
  const there = ([name]) => existsSync(name.replace('\$ORIGIN', process.env.FOLDER));
  marker.files = Object.fromEntries(Object.entries(marker.files).filter(there));
  await writeFileAtomic(file, JSON.stringify(marker, null, 2));"
cat >"$program/bn-train" <<'LAUNCHER'
#!/bin/sh
# bn-train with the Node, the runtime and the data set of this folder, and nothing of the machine's.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit
node=$here/node/bin/node
[ -x "$node" ] || node=node
export XDG_CACHE_HOME="$here/cache"
exec "$node" --max-semi-space-size=1 "$here/bin/bn-train.js" "$@"
LAUNCHER
chmod 755 "$program/bn-train"

# What is packed must be enough by itself.
path=/usr/bin:/bin
if leaves_out node; then path=$(dirname "$(command -v node)"):$path; fi
if ! (cd / && env -i PATH="$path" HOME="$stage" "$program/bn-train" doctor --json) | tee "$stage/doctor.json" |
  grep -q "\"value\":\"$program/cache/bn-train/runtime/[^\"]*\""; then
  cat "$stage/doctor.json" >&2
  cannot 'bn-train to find the packed runtime by itself' 'the above' 'bn-train setup'
fi
bash bench/split.sh ${split[@]+"${split[@]}"} "$program" "$out"

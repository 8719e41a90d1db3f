#!/usr/bin/env bash
# Measures bn-train beside PyTorch, JAX and TensorFlow's Python: makes an environment for each in the user's cache, once,
# and leaves the rest to `bn-train bench`, whose options it takes, too, after its own --peers pytorch,jax,tensorflow.
set -euo pipefail
cd "$(dirname "$0")/.."

peers=pytorch,jax,tensorflow
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --peers) peers=${2-} && shift ;;
    --peers=*) peers=${1#--peers=} ;;
    *) options+=("$1") ;;
  esac
  shift $(($# > 0))
done

case ${XDG_CACHE_HOME-} in
  /*) cache=$XDG_CACHE_HOME/bn-train/peers ;;
  *) cache=$HOME/.cache/bn-train/peers ;;
esac

wrong_peers() {
  echo "Cannot compare: expected --peers out of pytorch,jax,tensorflow, got $1" >&2
  echo 'hint: npm run -s bench:compare -- --peers pytorch,jax' >&2
  exit 2
}

building=
trap 'if [ -n "$building" ]; then rm -rf "$building"; fi' EXIT

# environment NAME PACKAGE…: sets `python` to that of an environment with these packages, which is whole or not there.
environment() {
  local name=$1 folder
  shift
  folder=$cache/$name-$(echo "$*" | cksum | cut -d' ' -f1)
  if [ ! -e "$folder" ]; then
    echo "$name: making an environment with $* in $folder" >&2
    mkdir -p "$cache"
    building=$(mktemp -d "$cache/.building-XXXXXX")
    if ! { "${PYTHON:-python3}" -m venv "$building" && "$building/bin/python" -m pip --disable-pip-version-check install --quiet "$@"; } >&2; then
      echo "Cannot compare with $name: expected an environment with $*, got the error above" >&2
      echo 'hint: they need Python 3.11 or 3.12 with venv, which PYTHON=… may name; or compare with others: --peers' >&2
      exit 1
    fi
    mv "$building" "$folder"
    building=
  fi
  python=$folder/bin/python
}

commands=()
for peer in ${peers//,/ }; do
  case $peer in
    pytorch) script=pytorch.py && environment pytorch torch==2.13.0 numpy==2.4.6 ;;
    jax) script=jax_lenet.py && environment jax jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 ;;
    tensorflow) script=tensorflow_lenet.py && environment tensorflow tensorflow-cpu==2.18.1 keras==3.15.1 numpy==2.0.2 ;;
    *) wrong_peers "$peer" ;;
  esac
  commands+=(--peer "'$python' -B 'bench/peers/$script'")
done
[ ${#commands[@]} -gt 0 ] || wrong_peers nothing

# The bash of macOS takes no empty array where nothing may be unset.
exec bin/bn-train.js bench --starts 3 "${commands[@]}" ${options[@]+"${options[@]}"}

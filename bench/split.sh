#!/usr/bin/env bash
# Splits a folder into compressed parts of a given size, with a MANIFEST of their SHA-256s and the script that joins them:
# split.sh [--size 60M] [--compress xz|zstd|gzip|none] FOLDER OUT_DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

usage() {
  echo "Cannot split: expected $1, got $2" >&2
  echo 'hint: bench/split.sh --size 60M FOLDER OUT_DIR' >&2
  exit 2
}
cannot() {
  echo "Cannot split: expected $1, got $2" >&2
  exit 1
}

size=60M compress=
names=()
while [ $# -gt 0 ]; do
  case $1 in
    --size) size=${2-} && shift ;;
    --compress) compress=${2-} && shift ;;
    -*) usage 'FOLDER OUT_DIR' "$1" ;;
    *) names+=("$1") ;;
  esac
  shift $(($# > 0))
done
[ ${#names[@]} -eq 2 ] || usage 'FOLDER OUT_DIR' "${#names[@]} names"
folder=${names[0]} out=${names[1]%/}
[[ $size =~ ^[1-9][0-9]*[KMG]?$ ]] || usage 'a --size such as 60M' "${size:-nothing}"
[ -d "$folder" ] || usage 'a folder to split' "$folder"
[ -n "$compress" ] || { command -v xz >/dev/null && compress=xz; } || compress=gzip
case $compress in
  xz) compressor=(xz -T0 -6) ;;
  # A tenth of xz's time for a tenth more bytes, on CUDA's libraries.
  zstd) compressor=(zstd -q -T0 -12 --long=27) ;;
  gzip) compressor=(gzip -9) ;;
  none) compressor=(cat) ;;
  *) usage '--compress xz, zstd, gzip or none' "$compress" ;;
esac
command -v "${compressor[0]}" >/dev/null || cannot "$compress on the PATH" none
[ ! -e "$out" ] || cannot "no $out yet" one

mkdir -p "$(dirname "$out")"
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
# The same names, owners and order each time; times go along, as Python's and tsc's caches look at them.
tar --create --directory="$folder" --sort=name --owner=0 --group=0 --numeric-owner . |
  "${compressor[@]}" |
  split --bytes="$size" --numeric-suffixes --suffix-length=4 - "$work/part-"
cd "$work"
parts=(part-*)
{
  echo '# What unpack.sh joins.'
  echo "# compression: $compress"
  echo "# parts: ${#parts[@]}"
  sha256sum "${parts[@]}"
} >MANIFEST
cp "$here/unpack.sh" .
chmod 755 . unpack.sh
cd - >/dev/null
mv -T "$work" "$out"
echo "$out: ${#parts[@]} parts, $(du -cb "$out"/part-* | tail -n 1 | cut -f1) bytes" >&2

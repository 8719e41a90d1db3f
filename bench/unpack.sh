#!/usr/bin/env bash
# Joins the parts beside it, as split.sh made them, after checking each: bash unpack.sh [FOLDER], which must not exist yet.
# Needs bash, coreutils, tar, and what the MANIFEST says the parts are compressed with (for xz, Python will do).
set -euo pipefail

cannot() {
  echo "Cannot unpack: expected $1, got $2" >&2
  echo "hint: $3" >&2
  exit 1
}

target=${1-bn-train}
target=${target%/}
case $target in
  -* | '')
    echo "Cannot unpack: expected a folder to make, got ${target:-nothing}" >&2
    echo 'hint: bash unpack.sh bn-train' >&2
    exit 2
    ;;
  /*) ;;
  *) target=$PWD/$target ;;
esac
cd "$(dirname "$0")"
[ ! -e "$target" ] || cannot "no $target yet" one 'name another folder: bash unpack.sh FOLDER'
[ -e MANIFEST ] || cannot "a MANIFEST beside unpack.sh" none "carry all that split.sh wrote into $PWD"

said() { sed -n "s/^# $1: //p" MANIFEST; }
compression=$(said compression) count=$(said parts)
listed=$(grep -c -E '^[0-9a-f]{64}  part-[0-9]{4}$' MANIFEST || true)
[ "$listed" = "$count" ] || cannot "a whole MANIFEST" "$listed of ${count:-an unknown number of} parts in it" 'carry it again'

wrong=()
while read -r sum part; do
  if [ ! -e "$part" ]; then
    wrong+=("$part missing")
  elif [ "$(sha256sum <"$part" | cut -d' ' -f1)" != "$sum" ]; then
    wrong+=("$part damaged")
  fi
done < <(grep -v '^#' MANIFEST)
if [ ${#wrong[@]} -gt 0 ]; then
  list=$(printf ', %s' "${wrong[@]}")
  cannot "all $count parts whole in $PWD" "${list#, }" 'carry those again, then: bash unpack.sh'
fi

unxz='import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.stdin.buffer), sys.stdout.buffer, 1 << 20)'
case $compression in
  xz)
    if command -v xz >/dev/null; then
      decompress=(xz -dc -T0)
    elif command -v python3 >/dev/null; then
      decompress=(python3 -c "$unxz")
    else
      cannot 'xz or python3 on the PATH' neither 'apt-get install xz-utils, or pack with --compress gzip'
    fi
    ;;
  zstd) decompress=(zstd -dcq --long=27) ;;
  gzip) decompress=(gzip -dc) ;;
  none) decompress=(cat) ;;
  *) cannot 'parts compressed with xz, zstd, gzip or none' "${compression:-nothing}" 'carry MANIFEST again' ;;
esac
command -v "${decompress[0]}" >/dev/null || cannot "$compression on the PATH" none 'install it, or pack with --compress gzip'

mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT
while read -r _ part; do cat "$part"; done < <(grep -v '^#' MANIFEST) |
  "${decompress[@]}" |
  tar --extract --directory="$work" --no-same-owner ||
  cannot "room for what is in the parts" 'the error above' 'free some space, or unpack elsewhere: bash unpack.sh FOLDER'
chmod 755 "$work"
mv -T "$work" "$target"
echo "unpacked: $target"

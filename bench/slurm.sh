#!/usr/bin/env bash
# Spreads a study over Slurm's job array with a dependent merge, and over GNU parallel, and holds each against one process,
# byte for byte but for times. Makes a Slurm of one node for it, on Debian, as root: slurm.sh [--keep DIR] [CLAIM… [--quick]]
set -euo pipefail
cd "$(dirname "$0")/.."
program=$PWD/bin/bn-train.js

cannot() {
  echo "Cannot try Slurm: expected $1, got $2" >&2
  exit 1
}

keep=
if [ "${1-}" = --keep ]; then
  keep=${2-}
  shift 2
fi
study=("$@")
[ $# -gt 0 ] || study=(exploding-gradients --quick)
parts=4

[ "$(id -u)" = 0 ] || cannot 'root, as daemons are started' "$(id -un)"
for tool in slurmctld munged parallel; do
  command -v $tool >/dev/null || missing=yes
done
if [ -n "${missing-}" ]; then
  command -v apt-get >/dev/null || cannot 'Slurm, munge and GNU parallel, or apt-get to install them' neither
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends slurm-wlm munge parallel >/dev/null
fi
[ -e dist/.tsbuildinfo ] || npm run -s build

work=${keep:-$(mktemp -d)}
mkdir -p "$work"
work=$(cd "$work" && pwd)
export SLURM_CONF=$work/slurm.conf
finish() {
  for daemon in slurmd slurmctld munged; do
    if [ -e "$work/$daemon.pid" ]; then kill "$(cat "$work/$daemon.pid")" 2>/dev/null || true; fi
  done
  [ -n "$keep" ] || rm -rf "$work"
}
trap finish EXIT

host=$(hostname -s)
cat >"$SLURM_CONF" <<END
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=main Nodes=$host Default=YES State=UP
END
mkdir -p "$work/state" "$work/spool"
install -d -m 711 -o munge -g munge "$work/munge"
chmod 755 "$work"
head -c 1024 /dev/urandom >"$work/munge/key"
chown munge:munge "$work/munge/key"
chmod 400 "$work/munge/key"
runuser -u munge -- munged --socket="$work/munge/socket" --key-file="$work/munge/key" --pid-file="$work/munge/munged.pid" \
  --log-file="$work/munge/log" --seed-file="$work/munge/seed"
ln -sf munge/socket "$work/munge.socket"
ln -sf munge/munged.pid "$work/munged.pid"
slurmctld -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF"

step() { printf '%4s s   %s\n' "$SECONDS" "$1"; }

# As a user would write it; tasks begin twice, as the second stage follows from all of the first.
cat >"$work/study.sbatch" <<END
#!/bin/bash
#SBATCH --array=1-$parts
#SBATCH --cpus-per-task=1
#SBATCH --output=$work/task-%A-%a.out
exec node '$program' study ${study[*]} --shard auto --jobs 1 --study-dir '$work/shared'
END
step "one process: ${study[*]}"
node "$program" study "${study[@]}" --study-dir "$work/one" --quiet >"$work/one.out"

step "Slurm: an array of $parts tasks, twice, and a merge that waits for them"
began=$SECONDS
first=$(sbatch --parsable "$work/study.sbatch")
second=$(sbatch --parsable --dependency="afterany:$first" "$work/study.sbatch")
sbatch --parsable --wait --dependency="afterok:$second" --output="$work/merge.out" \
  --wrap "node '$program' study ${study[*]} --study-dir '$work/merged' --merge '$work/shared'" >/dev/null ||
  cannot 'the array and its merge to finish' "$(tail -n 3 "$work"/task-*.out "$work/merge.out" 2>&1)"
slurm=$((SECONDS - began))

step 'GNU parallel: the same parts, two at once'
began=$SECONDS
export program work
spread() {
  parallel -j2 --joblog "$work/joblog" "$@" \
    "node '$program' study ${study[*]} --shard {}/$parts --jobs 1 --study-dir '$work/parallel'" ::: $(seq $parts) >"$work/parallel.out" 2>&1
}
# Those that had to wait for others are begun again.
spread || spread --resume-failed || cannot 'every part to finish' "$(tail -n 3 "$work/parallel.out")"
node "$program" study "${study[@]}" --study-dir "$work/parallel" --quiet >"$work/parallel.out"
parallel=$((SECONDS - began))

timeless() { sed -E 's/"(seconds|trainingSeconds|finished)":("[^"]*"|[^,}]*)//g' "$1"; }
for other in merged parallel; do
  for file in study.json $(cd "$work/one" && ls trials/*.json); do
    cmp <(timeless "$work/one/$file") <(timeless "$work/$other/$file") || cannot "the same bytes as one process's" "another $other/$file"
  done
  [ "$(ls "$work/one/trials" | wc -l)" = "$(ls "$work/$other/trials" | wc -l)" ] || cannot 'the same trials' "others in $other"
done
step "$(ls "$work/one/trials" | wc -l) trials and the result are the same, byte for byte but for times; Slurm took $slurm s, GNU parallel $parallel s"
cat "$work/one.out"

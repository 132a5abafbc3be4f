#!/bin/bash
# Stop the cluster up.sh started under DIR. Signals only pids recorded there (and checked by command name).
set -u
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
DIR=$(cd "$1" && pwd -P) || exit 1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SLURM_CONF=$DIR/etc/slurm.conf
# pid in file $1 if it is a live (not zombie) process named $2
pidof_() { local p; p=$(cat "$1" 2>/dev/null) && [ -n "$p" ] \
           && grep -qs "^$p (${2:0:15}) [^ZX]" "/proc/$p/stat" && echo "$p"; }
stop() { # stop COMM PIDFILE... : TERM all, wait up to 10 s, KILL what is left
  local c=$1 f p i live; shift
  for f in "$@"; do p=$(pidof_ "$f" "$c") && kill -TERM "$p"; done
  for i in $(seq 100); do
    live=; for f in "$@"; do pidof_ "$f" "$c" >/dev/null && live=1; done
    [ -z "$live" ] && break; sleep 0.1
  done
  for f in "$@"; do p=$(pidof_ "$f" "$c") && { echo "$c ($p) ignored TERM; killing" >&2; kill -KILL "$p"; }; rm -f "$f"; done
}
# cancel every job first: a stopped slurmd leaves slurmstepd and the job's processes running
if timeout 5 scontrol ping 2>/dev/null | grep -q UP; then
  squeue -h -r -o %A | sort -u | xargs -r scancel 2>/dev/null
  for i in $(seq 100); do [ -z "$(squeue -h -o %A 2>/dev/null)" ] && break; sleep 0.1; done
fi
stop slurmctld "$DIR/run/slurmctld.pid"          # before the slurmds, or it waits seconds for an answer from them
shopt -s nullglob; n=("$DIR"/run/slurmd.*.pid); [ ${#n[@]} -eq 0 ] || stop slurmd "${n[@]}"
stop munged "$DIR/run/munged.pid"
echo "down"

#!/bin/bash
# Bring up a real, private SLURM cluster on this one machine, under DIR.
#   up.sh DIR            (idempotent: a second call only starts what is not running)
#   . DIR/env                  then sinfo / srun / sbatch / snakemake --executor slurm work
#   down.sh DIR          stops it (by recorded pid only)
#
# Needs: apt-get install --no-install-recommends slurmctld slurmd slurm-client munge
# Environment knobs (read at first start only; config is kept afterwards unless SLURM_RECONF=1):
#   SLURM_NODES=2  SLURM_NODE_CPUS=8  SLURM_NODE_MEM=4000  SLURM_NODE_GPUS=4
#   SLURM_PORT=16817 (uses PORT .. PORT+NODES+2)  SLURM_AUTH=munge|none
#   SLURM_MEMKILL=0|1 (1: jobs whose resident memory exceeds their request are killed, no cgroups needed)
set -eu
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
mkdir -p "$1"; DIR=$(cd "$1" && pwd -P)
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin   # not the wrappers of some other cluster
NODES=${SLURM_NODES:-2} CPUS=${SLURM_NODE_CPUS:-8} MEM=${SLURM_NODE_MEM:-4000} GPUS=${SLURM_NODE_GPUS:-4}
PORT=${SLURM_PORT:-16817} AUTH=${SLURM_AUTH:-munge} MEMKILL=${SLURM_MEMKILL:-0}
HOST=$(hostname -s) ME=$(id -un)
# listen on loopback only: slurm does that through the host's name, so it must resolve to 127.x (else: all interfaces)
LOOP=; case $(grep -wE "^[0-9.]+[^#]*[[:space:]]$HOST" /etc/hosts | head -1) in 127.*) LOOP=1;; esac
umask 022
mkdir -p "$DIR"/{etc,run,log,state,dev}

# pid file $1 names a live (not zombie) process called $2 ?
alive() { local p; p=$(cat "$1" 2>/dev/null) && [ -n "$p" ] && grep -qs "^$p (${2:0:15}) [^ZX]" "/proc/$p/stat"; }
waitfor() { # waitfor SECONDS DESCRIPTION CMD...
  local end=$(( SECONDS + $1 )) d=$2; shift 2
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || { echo "timed out: $d (see $DIR/log)" >&2; return 1; }; sleep 0.1; done; }

# ---------------------------------------------------------------- configuration
if [ ! -f "$DIR/etc/slurm.conf" ] || [ "${SLURM_RECONF:-0}" = 1 ]; then
  AUTHLINES="AuthType=auth/none
CredType=cred/none
AuthInfo=cred_expire=15"
  [ "$AUTH" = none ] || AUTHLINES="AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$DIR/run/munge.socket,cred_expire=15"   # cred_expire: also how long a requeued job waits (default 120)
  {
  cat <<C
ClusterName=toy
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=$ME
SlurmdUser=$ME
$AUTHLINES
$([ -z "$LOOP" ] || echo CommunicationParameters=NoCtldInAddrAny,NoInAddrAny)
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool.%n
SlurmctldPidFile=$DIR/run/slurmctld.pid
SlurmdPidFile=$DIR/run/slurmd.%n.pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdLogFile=$DIR/log/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
$([ "$MEMKILL" = 0 ] || echo JobAcctGatherParams=OverMemoryKill)
JobCompType=jobcomp/filetxt
JobCompLoc=$DIR/log/jobcomp.txt
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,sched_min_interval=0,batch_sched_delay=0,default_queue_depth=1000
PriorityType=priority/basic
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=10
InactiveLimit=0
KillWait=30
MinJobAge=600
MaxArraySize=1001
DefMemPerCPU=50
TmpFS=/tmp
C
  for i in $(seq 1 "$NODES"); do
    echo "NodeName=n$i NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$((PORT+2+i)) CPUs=$CPUS Boards=1 SocketsPerBoard=1 CoresPerSocket=$CPUS ThreadsPerCore=1 RealMemory=$MEM Gres=gpu:fake:$GPUS State=UNKNOWN"
  done
  echo "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=30 State=UP OverSubscribe=NO"
  } > "$DIR/etc/slurm.conf"
  # one fake character device per GPU (a symlink to /dev/null passes slurmd's check; a plain file does not)
  for g in $(seq 0 $((GPUS-1))); do ln -sfn /dev/null "$DIR/dev/gpu$g"; done
  for i in $(seq 1 "$NODES"); do
    echo "NodeName=n$i Name=gpu Type=fake File=$DIR/dev/gpu[0-$((GPUS-1))]"
  done > "$DIR/etc/gres.conf"
  echo "CgroupAutomount=no" > "$DIR/etc/cgroup.conf"
  cat > "$DIR/env" <<C
export SLURM_CONF=$DIR/etc/slurm.conf PATH=$DIR/bin:\$PATH
C
  # snakemake-executor-plugin-slurm-jobstep drops SLURM_CONF (and most SLURM_*) before the srun inside a job;
  # these wrappers put it back. Without them that srun falls through to /etc/slurm/slurm.conf, then to a DNS lookup.
  mkdir -p "$DIR/bin"
  for c in srun sbatch scancel squeue sacct sinfo scontrol sacctmgr sshare; do
    printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$DIR/etc/slurm.conf" "$(PATH=/usr/local/bin:/usr/bin:/bin command -v $c)" > "$DIR/bin/$c"
    chmod +x "$DIR/bin/$c"
  done
fi
export SLURM_CONF=$DIR/etc/slurm.conf

# ---------------------------------------------------------------- daemons
if grep -q '^AuthType=auth/munge' "$SLURM_CONF" && ! alive "$DIR/run/munged.pid" munged; then
  [ -s "$DIR/etc/munge.key" ] || { (umask 077; head -c 128 /dev/urandom > "$DIR/etc/munge.key"); }
  munged --key-file="$DIR/etc/munge.key" --socket="$DIR/run/munge.socket" --pid-file="$DIR/run/munged.pid" \
         --log-file="$DIR/log/munged.log" --seed-file="$DIR/run/munged.seed" --num-threads=2
  waitfor 10 munge munge -S "$DIR/run/munge.socket" -n
fi
alive "$DIR/run/slurmctld.pid" slurmctld || { slurmctld; waitfor 20 slurmctld timeout 5 scontrol ping; }
for n in $(sed -n 's/^NodeName=\([^ ]*\).*/\1/p' "$SLURM_CONF"); do
  alive "$DIR/run/slurmd.$n.pid" slurmd || slurmd -N "$n"
done
allup() { [ -z "$(sinfo -h -N -o %t | grep -vE '^(idle|mix|alloc|comp)$')" ]; }
waitfor 30 "nodes idle" allup
sinfo -N -o '%N %t %c %m %G'
echo "up. client env: . $DIR/env    stop: $(cd "$(dirname "$0")" && pwd)/down.sh $DIR"

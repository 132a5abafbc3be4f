"""Points without models: what a submission holds, and which GPU each of its jobs gets.

--config points=N: their number; seconds=S: what each takes; together=M: each waits until M of them are running;
sequence=0: without the resource that the workflow's rules have.
"""

POINTS = [f"p{i}" for i in range(config["points"])]
SECONDS = config.get("seconds", 1)
TOGETHER = config.get("together", 1)
GROUP = "points" if workflow.remote_exec else None
SEQUENCE = config.get("sequence", 1)


rule all:
    input:
        expand("texts/{point}", point=POINTS),


rule merge:
    output:
        temp(directory("checkpoints/{point}")),
    group:
        GROUP
    priority: 10
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 200 * attempt,
        runtime=lambda wildcards, attempt: 5 * attempt,
        gpu=1,
        sequence=SEQUENCE,
    shell:
        "mkdir {output}; echo merge {wildcards.point} $(ls checkpoints | wc -l) >> jobs.txt"


rule generate:
    input:
        "checkpoints/{point}",
    output:
        "texts/{point}",
    group:
        GROUP
    priority: 20
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 400 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
        gpu=1,
        sequence=SEQUENCE,
    shell:
        """
        start=$(date +%s.%N)
        mkdir -p running
        touch running/{wildcards.point}
        until [ $(ls running | wc -l) -ge {TOGETHER} ]; do sleep 0.2; done
        sleep {SECONDS}
        # Whoever finds a file fail/<point> takes it away and fails.
        if [ -e fail/{wildcards.point} ]; then
            rm fail/{wildcards.point}
            exit 1
        fi
        touch {output}
        echo generate {wildcards.point} $start $(date +%s.%N) $SLURM_JOB_ID $SLURMD_NODENAME \
            ${{CUDA_VISIBLE_DEVICES:-none}} >> jobs.txt
        """

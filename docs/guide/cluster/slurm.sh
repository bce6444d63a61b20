#!/bin/bash
# pybench on whole nodes of a Slurm cluster: sbatch docs/guide/cluster/slurm.sh
# symmetric-run starts Ray on every node, runs what follows the -- on the first one only, and ends Ray with it.
#SBATCH --job-name=pybench
#SBATCH --nodes=4
#SBATCH --exclusive
#SBATCH --tasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-task=1
#SBATCH --time=24:00:00
set -euo pipefail

source "$HOME/pybench-venv/bin/activate"
export RAY_AUTH_MODE=token                       # once before: ray get-auth-token --generate
export PYBENCH_CACHE="/tmp/pybench-$USER"        # a disk of the node's own
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)

srun ray symmetric-run \
    --address "$head:6379" \
    --min-nodes "$SLURM_JOB_NUM_NODES" \
    --num-cpus "$SLURM_CPUS_PER_TASK" \
    --num-gpus "$SLURM_GPUS_PER_TASK" \
    -- \
    pybench run mvtec_rto --address auto --data-root "$HOME/data" --out "$HOME/results"

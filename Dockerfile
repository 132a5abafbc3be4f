# The workflow with all packages of requirements.lock, for CPUs. Build: docker build --tag lm-interpolation .
# Run, with the study's folder as /work:
#   docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/work" lm-interpolation \
#     snakemake --snakefile /opt/lm-interpolation/Snakefile --cores all --configfile config/mine.yaml
# Apptainer: apptainer build lm-interpolation.sif docker-daemon://lm-interpolation:latest
FROM python:3.11-slim-bookworm

# Snakemake keeps a cache in the home folder, which the user of --user does not have here.
ENV HOME=/tmp \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /opt/lm-interpolation
COPY requirements.lock ./
# torch first and alone, as in the Makefile. The index has builds for CPUs, of the same version.
RUN grep '^torch==' requirements.lock > torch.txt \
    && pip install --index-url https://download.pytorch.org/whl/cpu --requirement torch.txt \
    && pip install --requirement requirements.lock \
    && rm torch.txt
COPY . .
RUN pip install --no-deps --editable .

WORKDIR /work
CMD ["lm-interpolation", "--help"]

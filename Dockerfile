# syntax=docker/dockerfile:1.7
# The image of head, workers and drivers, for CPUs and for NVIDIA GPUs:
#   docker build --target cpu  --tag registry.example.com/i2i-cluster:0.1.0-cpu  .
#   docker build --target cuda --tag registry.example.com/i2i-cluster:0.1.0-cuda .
# For builds that are the same next year, name the base by its digest: --build-arg PYTHON=python@sha256:...
ARG PYTHON=python:3.11.14-slim-bookworm

# The package and its pinned dependencies, in a folder of their own. Python's own index has the CUDA build of torch.
FROM ${PYTHON} AS build
WORKDIR /src
COPY constraints.txt ./
# The constraints also hold for what builds packages.
ENV PIP_CONSTRAINT=/src/constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/i2i
ENV PATH=/opt/i2i/bin:$PATH

FROM build AS build-cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-deps --index-url "${TORCH_INDEX}" "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY cluster cluster
COPY data_shards data_shards
COPY orchestrator orchestrator
COPY trainers trainers
RUN pip install .

FROM build AS build-cuda
RUN pip install "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY cluster cluster
COPY data_shards data_shards
COPY orchestrator orchestrator
COPY trainers trainers
RUN pip install .

# What runs: no compiler, no pip cache, no root. KubeRay's probes before 1.7 use wget, and it starts all by bash, which may read
# /etc/profile and forget PATH.
FROM ${PYTHON} AS base
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 1000 i2i \
    && useradd --uid 1000 --gid 1000 --create-home i2i \
    && echo "PATH=/opt/i2i/bin:\$PATH" > /etc/profile.d/i2i.sh
ENV PATH=/opt/i2i/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /home/i2i
USER 1000:1000
ENTRYPOINT ["i2i-cluster"]
CMD ["--help"]

FROM base AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build-cuda /opt/i2i /opt/i2i

# The last one is what is built where no target is named.
FROM base AS cpu
COPY --from=build-cpu /opt/i2i /opt/i2i

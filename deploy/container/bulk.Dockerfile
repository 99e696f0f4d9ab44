# The image of a bulk run on a Ray cluster; docs/bulk.md says how it is used:
# docker build -t lookalike-bulk:0.1.0 -f deploy/container/bulk.Dockerfile .
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS packages
WORKDIR /build
COPY requirements/uv.txt requirements/bulk.txt requirements/
RUN --mount=type=cache,target=/cache \
    pip install --quiet --root-user-action=ignore --cache-dir /cache/pip \
        --require-hashes -r requirements/uv.txt \
    && uv venv --quiet --python /usr/local/bin/python3 /opt/lookalike \
    && UV_CACHE_DIR=/cache/uv UV_LINK_MODE=copy uv pip install --quiet \
        --python /opt/lookalike/bin/python --require-hashes -r requirements/bulk.txt
COPY pyproject.toml README.md LICENSE ./
COPY client_sdk client_sdk
COPY bento_service bento_service
COPY model_build model_build
COPY service service
RUN --mount=type=cache,target=/cache \
    UV_CACHE_DIR=/cache/uv UV_LINK_MODE=copy uv pip install --quiet \
        --python /opt/lookalike/bin/python --no-deps . ./service

FROM ${PYTHON_IMAGE}
COPY --from=packages /opt/lookalike /opt/lookalike
ENV PATH=/opt/lookalike/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    RAY_USAGE_STATS_ENABLED=0
USER 10001:10001
ENTRYPOINT ["python", "-m", "bento_service.bulk"]

# The image of the service: `docker build -t lookalike .`; docs/deploy.md says how it is used.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS tools
ENV UV_CACHE_DIR=/cache/uv UV_LINK_MODE=copy UV_PYTHON=/opt/lookalike/packages/bin/python \
    UV_CONSTRAINT=/build/requirements/torch.txt UV_OVERRIDE=/build/deploy/container/unused.txt \
    COMPILE="python -m compileall -qq -j 0 --invalidation-mode unchecked-hash"
WORKDIR /build
COPY requirements/uv.txt requirements/
RUN --mount=type=cache,target=/cache \
    pip install --quiet --root-user-action=ignore --cache-dir /cache/pip \
        --require-hashes -r requirements/uv.txt \
    && uv venv --quiet --python /usr/local/bin/python3 /opt/lookalike/packages
COPY requirements/torch.txt requirements/
COPY deploy/container/unused.txt deploy/container/
COPY pyproject.toml ./
COPY service/pyproject.toml service/

FROM tools AS packages
# server: for a Milvus server. With lite added: also with Milvus Lite inside. With openvino added:
# faster on Intel processors with AMX. With torch added: for an NVIDIA device.
ARG EXTRAS=server,lite,openvino
# One date for all files, so that equal builds are equal; bytecode, so that no process compiles what
# it imports; nothing that only tests, converters and programs in C need. PyTorch imports
# its own folder `testing`.
RUN --mount=type=cache,target=/cache \
    uv pip install --quiet -r pyproject.toml -r service/pyproject.toml \
        $(echo ",$EXTRAS" | sed 's/,/ --extra /g') \
    && cd /opt/lookalike/packages/lib/python*/site-packages \
    && find . -path ./torch -prune -o \
        -type d '(' -name tests -o -name test -o -name testing ')' -prune -exec rm -r {} + \
    && rm -r onnxruntime/quantization onnxruntime/tools onnxruntime/transformers \
        onnxruntime/capi/libonnxruntime.so.* numpy/distutils numpy/f2py \
    && if [ -d openvino ]; then rm openvino/libs/libopenvino_intel_[gn]pu_plugin.so; \
        find openvino/libs -name '*_frontend.so*' ! -name '*_onnx_*' ! -name '*_ir_*' -delete; fi \
    && { $COMPILE /opt/lookalike/packages || true; } \
    && mkdir -p /image/opt && mv /opt/lookalike /image/opt/ \
    && find /image -exec touch -hd @0 {} +

FROM tools AS code
COPY README.md LICENSE ./
COPY client_sdk client_sdk
COPY bento_service bento_service
COPY model_build model_build
COPY service service
COPY --chmod=0644 deploy/container/healthcheck.py /image/opt/lookalike/container/
RUN --mount=type=cache,target=/cache \
    env -u UV_OVERRIDE uv pip install --quiet --no-deps --target /opt/lookalike/code . ./service \
    && rm /opt/lookalike/code/*.dist-info/uv_cache.json \
    && sed -i /uv_cache.json/d /opt/lookalike/code/*.dist-info/RECORD \
    && $COMPILE /opt/lookalike/code \
    && mv /opt/lookalike/code /image/opt/lookalike/ \
    && find /image -exec touch -hd @0 {} +

FROM tools AS model
RUN --mount=type=cache,target=/cache \
    uv pip install --quiet -r pyproject.toml -r service/pyproject.toml --extra server --extra model
COPY --from=code /image/ /
WORKDIR /image/opt/lookalike
RUN --mount=type=cache,target=/cache \
    PYTHONPATH=/opt/lookalike/code BENTOML_HOME=/image/opt/lookalike/bentoml \
    /opt/lookalike/packages/bin/python -m model_build --downloads /cache/downloads \
    && mkdir -p bentoml/bentos bentoml/envs bentoml/tmp code/bento_service \
    && sed -i "s/^creation_time: .*/creation_time: '1970-01-01T00:00:00+00:00'/" \
        bentoml/models/*/*/model.yaml \
    && cp /opt/lookalike/code/bento_service/model_tag.txt code/bento_service/ \
    && find /image -exec touch -hd @0 {} +

FROM ${PYTHON_IMAGE}
# Bytecode of the standard library saves a second of every process's start. Any user may write to
# /data, whoever the container runs as.
RUN touch /tmp/before && mkdir -m 1777 /data && mkdir /pictures \
    && { python -m compileall -qq -j 0 --invalidation-mode unchecked-hash -x site-packages \
        "$(python -c 'import os; print(os.path.dirname(os.__file__))')" || true; } \
    && find /usr/local/lib -newer /tmp/before -exec touch -d @0 {} + \
    && rm /tmp/before && touch -d @0 /data /pictures /tmp
# From a folder with all folders above them: Docker gives those that it makes the present time.
COPY --from=packages /image/ /
COPY --from=model /image/ /
COPY --from=code /image/ /
ENV PATH=/opt/lookalike/code/bin:/opt/lookalike/packages/bin:$PATH \
    PYTHONPATH=/opt/lookalike/code \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    BENTOML_HOME=/opt/lookalike/bentoml \
    BENTOML_DO_NOT_TRACK=true \
    LOOKALIKE_HOST=0.0.0.0 \
    LOOKALIKE_DATA_DIR=/data \
    LOOKALIKE_IMAGE_ROOTS=/pictures \
    LOOKALIKE_FIRST_TOKEN=1
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title=Lookalike \
      org.opencontainers.image.description="Self-hosted image search" \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION
VOLUME /data
EXPOSE 8001
USER 10001:10001
# A start may fill an index, for minutes.
HEALTHCHECK --interval=10s --timeout=10s --start-period=10m --retries=3 \
    CMD ["python", "/opt/lookalike/container/healthcheck.py"]
ENTRYPOINT ["python", "-m", "bento_service"]

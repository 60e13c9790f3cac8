# The pipeline and its server: `run`, `step`, `serve`, `predict`. Called in the project's folder:
#   docker build -t crossnet:0.1.0 .
#   docker build -t crossnet-gpu:0.1.0 --build-arg GPU=1 .                       CUDA from NVIDIA's wheels
#   docker build -t crossnet-kfp:0.1.0 --build-arg LOCK=requirements-kfp.lock .  for `crossnet compile --image`
ARG PYTHON=3.13-slim-bookworm

FROM python:${PYTHON} AS wheel
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}
ARG LOCK=requirements.lock
ARG GPU=""
COPY requirements.lock requirements-kfp.lock /tmp/
RUN pip install --no-cache-dir --require-hashes -r "/tmp/${LOCK}" \
    && if [ -n "${GPU}" ]; then pip install --no-cache-dir "tensorflow[and-cuda]==2.21.0"; fi
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels pip install --no-cache-dir --no-deps /wheels/*.whl
# The rows, the config and the root are volumes that this user may write.
RUN useradd --create-home --uid 10001 crossnet
USER 10001
WORKDIR /home/crossnet
ENTRYPOINT ["crossnet"]
CMD ["--help"]

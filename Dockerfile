# Two stages: the first has pip and the build back end, the second has neither.
# A production build should name the base by digest: --build-arg BASE=python:3.13-slim@sha256:...
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
COPY requirements/ requirements/
RUN python -m venv /opt/token-broker \
 && /opt/token-broker/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/runtime.txt \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY broker/ broker/
COPY backends/ backends/
RUN /opt/build/bin/python -m hatchling build -t wheel -d dist \
 && /opt/token-broker/bin/pip install --no-cache-dir --no-deps --no-index dist/*.whl \
 && /opt/token-broker/bin/pip uninstall --yes pip \
 && python -m compileall -q /opt/token-broker/lib

FROM ${BASE}
COPY --from=build /opt/token-broker /opt/token-broker
RUN install -d -m 0750 -o 65532 -g 65532 /run/token-broker /var/lib/token-broker
ENV PATH=/opt/token-broker/bin:/usr/local/bin:/usr/bin:/bin
# A number, so that Kubernetes can see without a passwd file that it is not root.
USER 65532:65532
WORKDIR /
# -I: no PYTHON* variable, user site or working directory puts code in front of ours.
ENTRYPOINT ["/opt/token-broker/bin/python", "-I", "/opt/token-broker/bin/token-broker"]
CMD ["run"]

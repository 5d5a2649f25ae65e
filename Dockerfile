# syntax=docker/dockerfile:1
# Targets: `runtime` holds the commands `jobs-maint` and `jobs-chatbot`; `demo` adds the sample team app.

FROM python:3.11.14-slim-bookworm AS build
RUN pip install --no-cache-dir --root-user-action ignore "uv==0.9.11"
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/venv \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /build
# The dependencies first: a change of our own code leaves this layer as it is.
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --extra slack --extra binary --no-install-project
COPY README.md LICENSE ./
COPY src ./src
RUN uv sync --locked --no-dev --extra slack --extra binary --no-editable

FROM python:3.11.14-slim-bookworm AS runtime
RUN useradd --uid 10001 --create-home --no-log-init --shell /usr/sbin/nologin jobs
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER jobs
WORKDIR /home/jobs
CMD ["jobs-maint", "help"]

FROM runtime AS demo
COPY demo/__init__.py ./demo/__init__.py
COPY demo/team_app ./demo/team_app
CMD ["python", "-m", "demo.team_app", "worker"]

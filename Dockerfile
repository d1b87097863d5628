# Kegui in one image; which process runs is the command (web, worker, clock, migrate).
FROM python:3.12-slim-bookworm
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
# Containers do not see which processors each other's processes took: give each a cpuset, then 1.
ENV KEGUI_OWN_PROCESSOR=0
RUN useradd --system --uid 10001 --home-dir /var/lib/kegui --create-home kegui
WORKDIR /opt/kegui
COPY pyproject.toml requirements.lock README.md LICENSE ./
# Nothing but the very files whose digests are written there.
RUN pip install --require-hashes --requirement requirements.lock
COPY bot bot
COPY handlers handlers
COPY config config
COPY migrations migrations
# Editable: migrations stand beside the packages and not in them.
RUN pip install --no-index --no-deps --no-build-isolation --editable .
USER kegui
WORKDIR /var/lib/kegui
EXPOSE 8000
ENTRYPOINT ["kegui"]
CMD ["web"]

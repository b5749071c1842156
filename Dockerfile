# An image for those who want one, with the same pinned wheels as bin/setup installs. compose.yaml starts all processes.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PATH=/app/.venv/bin:$PATH
WORKDIR /app

COPY requirements.txt ./
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir --only-binary :all: --no-binary pyaes -r requirements.txt

COPY . .
RUN useradd --system --home-dir /app switchboard && mkdir -p /app/var/media && chown -R switchboard /app/var
USER switchboard

EXPOSE 8000
ENTRYPOINT ["bin/start"]
CMD ["web"]

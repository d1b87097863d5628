"""How Kegui logs: one JSON object a line on standard error, static event names."""

import logging
import sys

import structlog


def configure(level: str = "INFO") -> None:
    """Send structlog's and the libraries' lines the same way.

    The libraries that speak HTTP are kept above the levels at which they print addresses: an
    address may carry an access token.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("requests", "wechatpy", "apscheduler", "peewee", "huey"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # Its warnings print addresses too.
    logging.getLogger("urllib3").setLevel(max(logging.ERROR, root.level))

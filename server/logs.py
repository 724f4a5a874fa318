"""Log lines on standard error: for people, or one JSON object each for machines. Both say whose session it was."""

from __future__ import annotations

import contextvars
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal


@dataclass
class Work:
    """What a task works for: the id of a session. A resume changes it under a running task."""

    session: str


WORK: Final[contextvars.ContextVar[Work | None]] = contextvars.ContextVar("work", default=None)
"""That of the present task. It must hold on to nothing else: timers keep it until their time, also those that were cancelled."""
TEXT_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
QUIET: Final = ("websockets", "asyncio")
"""Libraries that log at level debug what passes through them, tokens and prompts, and at level info every probe of health."""
LogFormat = Literal["text", "json"]


class JsonFormatter(logging.Formatter):
    """One line of JSON: `time` (UTC), `level`, `logger`, `message`, and where there are such `session` and `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        session = getattr(record, "session", None)
        if session is not None:
            fields["session"] = session
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


class SessionFilter(logging.Filter):
    """Passes every record, with the ``session`` of the task that logged it."""

    def filter(self, record: logging.LogRecord) -> bool:
        work = WORK.get()
        if work is not None and not hasattr(record, "session"):
            record.session = work.session
        return True


def configure(level: str, form: LogFormat) -> None:
    """Makes the process log to standard error, from ``level`` on, in one of the two forms; unless it logs somewhere already."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter(TEXT_FORMAT))
    handler.addFilter(SessionFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))

"""The root logger of functions, in text and JSON format, and the format of the runtime's own errors.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

import json
import logging
import os
import sys
import time
import traceback

IS_JSON = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
#: Lambda's level names that differ from those of the logging module.
LEVELS = {"TRACE": "DEBUG"}
#: Attributes of every record. Any other attribute comes from the caller's `extra`.
KNOWN = {*vars(logging.makeLogRecord({})), "aws_request_id", "tenant_id", "taskName"}


class CurrentRequest(logging.Filter):
    """Adds the request ID to every log record."""

    request_id = ""
    tenant_id = None

    def filter(self, record):
        record.aws_request_id = self.request_id
        record.tenant_id = self.tenant_id
        return True


class LambdaLoggerHandler(logging.Handler):
    """Raises the error of a record that cannot be written in the logging call, as on AWS."""

    def emit(self, record):
        sys.stdout.write(self.format(record))


class TextFormatter(logging.Formatter):
    def __init__(self):
        super().__init__(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S"
        )

    def format(self, record):
        # A record with several lines is one log event. A traceback follows the format's line break and does not
        # end in one.
        text = super().format(record)
        return (text[:-1] if text.endswith("\n") else text).replace("\n", "\r") + "\n"


class JsonFormatter(logging.Formatter):
    def format(self, record):
        # A custom level counts as the next lower standard level.
        record.levelno = min(50, max(0, record.levelno)) // 10 * 10
        record.levelname = logging.getLevelName(record.levelno)
        kind, error, trace = record.exc_info or (None, None, None)
        entry = {
            "timestamp": self.formatTime(record, TIME_FORMAT),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "stackTrace": traceback.format_tb(trace) if kind else None,
            "errorType": kind.__name__ if kind else None,
            "errorMessage": str(error) if kind else None,
            "requestId": record.aws_request_id,
            "location": f"{record.pathname}:{record.funcName}:{record.lineno}" if kind else None,
            "tenantId": record.tenant_id,
        }
        more = {name: value for name, value in vars(record).items() if name not in KNOWN and name not in entry}
        entry = {name: value for name, value in {**entry, **more}.items() if value is not None}
        return json.dumps(entry, ensure_ascii=False) + "\n"


def set_up_logging():
    """Configure the root logger. The caller sets the request ID on the returned filter for each invocation."""
    logging.Formatter.converter = time.gmtime
    current = CurrentRequest()
    handler = LambdaLoggerHandler()
    handler.setFormatter(JsonFormatter() if IS_JSON else TextFormatter())
    handler.addFilter(current)
    root = logging.getLogger()
    root.addHandler(handler)
    wanted = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "")
    level = logging.getLevelName(LEVELS.get(wanted, wanted).upper())
    if isinstance(level, int):
        root.setLevel(level)
    return current


def log_error(failure):
    """Log an error as one event.

    Carriage returns are between lines, and no-break spaces as indentation, which consoles keep.
    """
    if IS_JSON:
        record = {"timestamp": time.strftime(TIME_FORMAT, time.gmtime()), "log_level": "ERROR", **failure}
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
        return
    head = ": ".join(filter(None, (failure["errorType"], failure["errorMessage"])))
    lines = [f"[ERROR] {head}", "Traceback (most recent call last):"]
    for frame in failure["stackTrace"]:
        for line in frame.splitlines():
            text = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(text)) + text)
    sys.stdout.write("\r".join(lines).replace("\n", "\r") + "\n")


UNHANDLED = (
    "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code. However, in rare "
    "cases, a Lambda runtime update can cause unexpected function behavior. For functions using managed runtimes, "
    "runtime updates can be triggered by a function change, or can be applied automatically. To determine if the "
    "runtime has been updated, check the runtime version in the INIT_START log entry. If this error correlates with a "
    "change in the runtime version, you may be able to mitigate this error by temporarily rolling back to the previous "
    "runtime version. For more information, see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html\r"
)

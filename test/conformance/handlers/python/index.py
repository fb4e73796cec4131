import os
import sys

served = 0


def handler(event, _context):
    global served
    served += 1
    what = event.get("do") if isinstance(event, dict) else None
    if what == "fail":
        raise ValueError(event["message"])
    if what == "size":
        return "x" * event["size"]
    if what == "trace":
        return os.environ["_X_AMZN_TRACE_ID"]
    if what == "count":
        return served
    if what == "log":
        print("to standard output", flush=True)
        print("to standard error", file=sys.stderr, flush=True)
        return None
    return event

import json
import os
import signal
import sys
import time

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
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "sleep":
        time.sleep(event["seconds"])
    if what == "write":
        with open("/tmp/kept", "w") as file:
            json.dump(event["text"], file)
    if what == "read":
        with open("/tmp/kept") as file:
            return json.load(file)
    if what == "variable":
        return os.environ[event["name"]]
    if what == "log":
        print("to standard output", flush=True)
        print("to standard error", file=sys.stderr, flush=True)
        return None
    return event

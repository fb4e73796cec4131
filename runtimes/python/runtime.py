"""Runs functions of the managed Python runtimes on this machine's Python.

One invocation after another over one connection, with the errors, log lines and context of AWS's runtime. Standard
library only. It knows Lambda through the Runtime API alone.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import decimal
import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback

API = "/2018-06-01/runtime"
#: Too large an answer: Lambda has told the invoker already.
TOO_LARGE = 413


class Fault(Exception):
    """A failure that has a name of Lambda's: Runtime.ImportModuleError and its kind."""

    def __init__(self, name, message, trace=None):
        super().__init__(message)
        self.name = "Runtime." + name
        self.trace = trace


class RuntimeApi:
    """The connection to Lambda; made anew when it breaks while waiting."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.connection = http.client.HTTPConnection(host, int(port))

    def next(self):
        for attempt in range(5):
            try:
                self.connection.request("GET", API + "/invocation/next")
                response = self.connection.getresponse()
                return response.headers, response.read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.connection.close()
        raise ConnectionError("the Runtime API closes every connection")

    def post(self, path, body, headers=None):
        headers = {"Content-Type": "application/json", **(headers or {})}
        self.connection.request("POST", API + path, body, headers)
        response = self.connection.getresponse()
        response.read()
        if response.status >= 300 and response.status != TOO_LARGE:
            print(f"LAMBDA_RUNTIME Failed to post {path}. Http response code: {response.status}.", flush=True)


class Context:
    """What handlers get beside the event. https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    def __init__(self, headers):
        environ = os.environ
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("Lambda-Runtime-Invoked-Function-Arn")
        self.tenant_id = headers.get("Lambda-Runtime-Aws-Tenant-Id")
        self.client_context = client_context(parse_header(headers.get("Lambda-Runtime-Client-Context")))
        self.identity = Record(
            parse_header(headers.get("Lambda-Runtime-Cognito-Identity")),
            cognito_identity_id="cognitoIdentityId",
            cognito_identity_pool_id="cognitoIdentityPoolId",
        )
        self._epoch_deadline_time_in_ms = int(headers.get("Lambda-Runtime-Deadline-Ms") or 0)

    def get_remaining_time_in_millis(self):
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


class Record:
    """Attributes from the members of a JSON object; None where it has no such member."""

    def __init__(self, source, **names):
        for attribute, member in names.items():
            setattr(self, attribute, (source or {}).get(member))


def client_context(source):
    if source is None:
        return None
    context = Record(source, custom="custom", env="env")
    context.client = None
    if "client" in source:
        context.client = Record(
            source["client"],
            **{name: name for name in ("installation_id", "app_title", "app_version_name", "app_version_code")},
            app_package_name="app_package_name",
        )
    return context


def parse_header(text):
    """Headers are bytes; these hold JSON in UTF-8."""
    return None if text is None else json.loads(text.encode("latin-1").decode("utf-8"))


def find_handler(name):
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        problem = "not enough values to unpack (expected 2, got 1)"
        raise Fault("MalformedHandlerName", f"Bad handler '{name}': {problem}")
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault("BuiltInModuleConflict", f"Cannot use built-in module {module_name} as a handler module")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Fault("ImportModuleError", f"Unable to import module '{module_name}': {error}") from None
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise Fault("UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", trace) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault("HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'") from None


def describe(error, request_id=None):
    """An exception as the invoker sees it."""
    if isinstance(error, Fault):
        name, trace = error.name, error.trace
    else:
        name = type(error).__name__
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
        trace = traceback.format_list(frames)
    failure = {"errorMessage": str(error), "errorType": name, "requestId": request_id or "", "stackTrace": trace or []}
    return failure, cause_for_xray(error, name)


def cause_for_xray(error, name):
    frames = traceback.extract_tb(error.__traceback__)
    stack = [{"label": frame.name, "path": frame.filename, "line": frame.lineno} for frame in frames]
    exceptions = [{"message": str(error), "type": name, "stack": stack}]
    paths = sorted({frame.filename for frame in frames})
    return json.dumps({"working_directory": os.getcwd(), "exceptions": exceptions, "paths": paths})


def log_failure(failure):
    """One event: lines are parted by carriage returns, and indented by spaces that consoles keep."""
    if is_json_log():
        members = {"errorType": failure["errorType"], "errorMessage": failure["errorMessage"]}
        record = {"timestamp": now(), "log_level": "ERROR", **members, "requestId": failure["requestId"]}
        print(json.dumps({**record, "stackTrace": failure["stackTrace"]}, ensure_ascii=False), flush=True)
        return
    lines = [f"[ERROR] {failure['errorType']}: {failure['errorMessage']}", "Traceback (most recent call last):"]
    for frame in failure["stackTrace"]:
        for line in frame.splitlines():
            text = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(text)) + text)
    sys.stdout.write("\r".join(lines).replace("\n", "\r") + "\n")
    sys.stdout.flush()


class Encoder(json.JSONEncoder):
    def default(self, o):
        if isinstance(o, decimal.Decimal):
            return int(o) if o == o.to_integral_value() else float(o)
        return super().default(o)


def is_json_log():
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class CurrentRequest(logging.Filter):
    """Puts the invocation's id into every log record."""

    request_id = ""

    def filter(self, record):
        record.aws_request_id = self.request_id
        return True


class JsonFormatter(logging.Formatter):
    KNOWN = {*vars(logging.makeLogRecord({})), "aws_request_id", "message", "asctime", "taskName"}

    def format(self, record):
        entry = {
            "timestamp": now(),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": record.aws_request_id,
        }
        if record.exc_info:
            entry["errorType"] = record.exc_info[0].__name__
            entry["errorMessage"] = str(record.exc_info[1])
            entry["stackTrace"] = traceback.format_tb(record.exc_info[2])
        entry.update({name: value for name, value in vars(record).items() if name not in self.KNOWN})
        return json.dumps(entry, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    converter = time.gmtime

    def __init__(self):
        super().__init__(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
        )

    def format(self, record):
        # A record of several lines is one event.
        return super().format(record).replace("\n", "\r") + "\n"


def set_up_logging():
    current = CurrentRequest()
    handler = logging.StreamHandler(sys.stdout)
    handler.terminator = "\n" if is_json_log() else ""
    handler.setFormatter(JsonFormatter() if is_json_log() else TextFormatter())
    handler.addFilter(current)
    root = logging.getLogger()
    root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    if is_json_log() and level:
        root.setLevel({"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(level, level))
    return current


def serve(api, handler, headers, body):
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    try:
        try:
            event = json.loads(body)
        except ValueError as error:
            raise Fault("UnmarshalError", f"Unable to unmarshal input: {error}") from None
        result = handler(event, Context(headers))
        try:
            answer = json.dumps(result, cls=Encoder, ensure_ascii=False).encode()
        except (TypeError, ValueError) as error:
            raise Fault("MarshalError", f"Unable to marshal response: {error}") from None
    except Exception as error:  # Whatever the handler raises is the invocation's failure; the runtime goes on.
        failure, cause = describe(error, request_id)
        log_failure(failure)
        kinds = {
            "Lambda-Runtime-Function-Error-Type": failure["errorType"],
            "Lambda-Runtime-Function-XRay-Error-Cause": cause,
        }
        api.post(f"/invocation/{request_id}/error", json.dumps(failure).encode(), kinds)
    else:
        api.post(f"/invocation/{request_id}/response", answer)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def extend_path():
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    task_root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    # The runtime's own folder makes way for the function's.
    sys.path[0:1] = [task_root, f"/opt/python/lib/{version}/site-packages", "/opt/python"]


def main():
    api = RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"])
    current = set_up_logging()
    extend_path()
    try:
        handler = find_handler(os.environ["_HANDLER"])
    except Exception as error:  # The module's own code may raise anything.
        failure, _ = describe(error)
        log_failure(failure)
        kind = {"Lambda-Runtime-Function-Error-Type": failure["errorType"]}
        api.post("/init/error", json.dumps(failure).encode(), kind)
        sys.exit(1)
    while True:
        headers, body = api.next()
        current.request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        trace = headers.get("Lambda-Runtime-Trace-Id")
        if trace:
            os.environ["_X_AMZN_TRACE_ID"] = trace
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        serve(api, handler, headers, body)


if __name__ == "__main__":
    main()

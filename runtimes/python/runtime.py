"""Runs functions of the managed Python runtimes on this machine's Python.

Handles one invocation after another over one connection, with the errors, log lines and context of AWS's runtime. Uses
only the standard library and depends only on the Runtime API.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import http.client
import importlib
import json
import logging
import os
import site
import sys
import time
import traceback

writes_bytecode = not sys.dont_write_bytecode
sys.dont_write_bytecode = True
from awslambdaric import lambda_runtime_log_utils as log_utils  # noqa: E402
from awslambdaric.lambda_context import LambdaContext  # noqa: E402
from awslambdaric.lambda_runtime_marshaller import to_json  # noqa: E402

sys.dont_write_bytecode = not writes_bytecode

API = "/2018-06-01/runtime"
#: Maximum size of a header. Longer causes are omitted.
MAX_CAUSE_BYTES = 1024 * 1024


class Fault(Exception):
    """An error with one of Lambda's own names, such as Runtime.ImportModuleError."""

    def __init__(self, name, message, trace=None):
        super().__init__(message)
        self.name = "Runtime." + name
        self.trace = trace


class RuntimeApi:
    """The connection to the Runtime API. Reconnects when it breaks while waiting for an invocation."""

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

    def post(self, path, body, headers, what):
        """Logs a refusal (response too large, or too late). It affects only this invocation."""
        self.connection.request("POST", API + path, body, headers)
        response = self.connection.getresponse()
        response.read()
        if response.status >= 300:
            problem = f"LAMBDA_RUNTIME Failed to post {what}. Http response code: {response.status}."
            print(f"[ERROR] [{int(time.time() * 1000)}] {problem}", flush=True)


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


def describe(error, request_id=""):
    """Return an exception as the invoker sees it, and as X-Ray does."""
    if isinstance(error, Fault):
        kind, name, trace, frames = "LambdaValidationError", error.name, error.trace or [], []
    else:
        frames = frames_of(error)
        kind = name = type(error).__name__
        trace = traceback.format_list(frames)
    failure = {"errorMessage": str(error), "errorType": name, "requestId": request_id, "stackTrace": trace}
    stack = [{"label": label, "path": path, "line": line} for path, line, label, _ in frames]
    cause = {
        "working_directory": os.getcwd(),
        "exceptions": [{"message": str(error), "type": kind, "stack": stack}],
        "paths": sorted({path for path, *_ in frames}),
    }
    return failure, json.dumps(cause)


def headers_of(failure):
    """Encode the type as bytes, because http.client accepts text only if it is Latin-1."""
    kind = failure["errorType"].encode(errors="replace")
    return {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": kind}


def frames_of(error):
    """Return the frames as tuples, which are printed without markers below the code, and without the runtime's own."""
    frames = [(each.filename, each.lineno, each.name, each.line) for each in traceback.extract_tb(error.__traceback__)]
    first = next((index for index, frame in enumerate(frames) if frame[0] != __file__), 0)
    return frames[first:]


def serve(api, handler, headers, body):
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    try:
        response, content_type = call(handler, headers, body)
    except Exception as error:  # An exception of the handler fails the invocation. The runtime continues.
        failure, cause = describe(error, request_id)
        log_utils.log_error(failure)
        kinds = headers_of(failure)
        if len(cause) < MAX_CAUSE_BYTES:
            kinds["Lambda-Runtime-Function-XRay-Error-Cause"] = cause
        path = f"/invocation/{request_id}/error"
        api.post(path, to_json(failure).encode(errors="replace"), kinds, "handler error response")
    else:
        path = f"/invocation/{request_id}/response"
        api.post(path, response, {"Content-Type": content_type}, "handler success response")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def call(handler, headers, body):
    context = LambdaContext(
        headers["Lambda-Runtime-Aws-Request-Id"],
        parse_header(headers.get("Lambda-Runtime-Client-Context"), "Client Context"),
        parse_header(headers.get("Lambda-Runtime-Cognito-Identity"), "Cognito Identity"),
        int(headers.get("Lambda-Runtime-Deadline-Ms") or 0),
        headers.get("Lambda-Runtime-Invoked-Function-Arn"),
        headers.get("Lambda-Runtime-Aws-Tenant-Id"),
    )
    try:
        event = json.loads(body)
    except ValueError as error:
        raise Fault("UnmarshalError", f"Unable to unmarshal input: {error}") from None
    result = handler(event, context)
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return to_json(result).encode(), "application/json"
    except Exception as error:
        raise Fault("MarshalError", f"Unable to marshal response: {error}") from None


def parse_header(text, name):
    """Parse a header that holds JSON in UTF-8. http.client decodes headers as Latin-1."""
    if not text:
        return None
    try:
        return json.loads(text.encode("latin-1").decode("utf-8"))
    except ValueError as error:
        raise Fault("LambdaContextUnmarshalError", f"Unable to parse {name} JSON: {error}") from None


def extend_path():
    """Set the search path: the function, layers, the runtime, Python. Includes the directories named by .pth files.

    A function that sets PYTHONPATH names the directories of its layers itself. The directory of the runtime's version
    comes first, also where the interpreter has another one: layers are built for the runtime.
    https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath
    """
    interpreter = f"python{sys.version_info.major}.{sys.version_info.minor}"
    runtime = os.environ.get("AWS_EXECUTION_ENV", "").removeprefix("AWS_Lambda_") or interpreter
    versions = dict.fromkeys([runtime, interpreter])
    task_root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    layers = [f"/opt/python/lib/{version}/site-packages" for version in versions] + ["/opt/python"]
    if "PYTHONPATH" in os.environ:
        layers = []
    sys.path[0:0] = [task_root, *layers]
    for directory in (task_root, *layers):
        site.addsitedir(directory)
    os.environ.setdefault("PYTHONPATH", os.environ.get("LAMBDA_RUNTIME_DIR", "/var/runtime"))


def main():
    # An error message may hold characters that cannot be encoded. It must be logged all the same.
    sys.stdout.reconfigure(errors="backslashreplace")
    api = RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"])
    current = log_utils.set_up_logging()
    try:
        extend_path()
        handler = find_handler(os.environ["_HANDLER"])
    except Exception as error:  # The handler's module may raise anything.
        failure, _ = describe(error)
        logging.warning(log_utils.UNHANDLED)
        log_utils.log_error(failure)
        kinds = headers_of(failure)
        api.post("/init/error", to_json(failure).encode(errors="replace"), kinds, "init error")
        sys.exit(1)
    while True:
        headers, body = api.next()
        current.request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        current.tenant_id = headers.get("Lambda-Runtime-Aws-Tenant-Id")
        trace = headers.get("Lambda-Runtime-Trace-Id")
        if trace:
            os.environ["_X_AMZN_TRACE_ID"] = trace
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        serve(api, handler, headers, body)


if __name__ == "__main__":
    main()

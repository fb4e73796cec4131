"""Greets the name in the event."""


def handler(event, headers):
    return {"greeting": f"Hello, {event['name']}!", "request": headers["Lambda-Runtime-Aws-Request-Id"]}

"""Greets whoever the event names."""


def handler(event, headers):
    return {"greeting": f"Hello, {event['name']}!", "request": headers["Lambda-Runtime-Aws-Request-Id"]}

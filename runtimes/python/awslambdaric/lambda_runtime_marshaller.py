"""Events from JSON, and what handlers return as JSON, where AWS's runtime differs from Python's json module."""

import decimal
import json
import os
import re
import secrets

#: From Python 3.12 on AWS leaves letters beyond ASCII as they are.
ESCAPES = os.environ.get("AWS_EXECUTION_ENV") in {f"AWS_Lambda_python3.{minor}" for minor in range(12)}
#: Stands for a decimal number until the text is whole; json has no way to write a number of one's own.
MARK = f"decimal-{secrets.token_hex(16)}-"


def to_json(value):
    """Decimals with all their digits, named tuples as objects. Raises what json raises."""
    numbers = []

    def default(other):
        if not isinstance(other, decimal.Decimal):
            raise TypeError(f"Object of type {type(other).__name__} is not JSON serializable")
        if other.is_nan():
            return float("nan")
        numbers.append(str(other))
        return f"{MARK}{len(numbers) - 1}"

    try:
        value = without_named_tuples(value)
    except RecursionError:
        pass  # A circle, which json refuses in its own words.
    text = json.dumps(value, default=default, ensure_ascii=ESCAPES)
    return re.sub(f'"{MARK}(\\d+)"', lambda found: numbers[int(found[1])], text) if numbers else text


def without_named_tuples(value):
    if isinstance(value, dict):
        return {key: without_named_tuples(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        if hasattr(value, "_asdict"):
            return without_named_tuples(value._asdict())
        return [without_named_tuples(each) for each in value]
    return value

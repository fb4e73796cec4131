"""Conversion of results to JSON, where AWS's runtime differs from Python's json module."""

import decimal
import json
import os
import re
import secrets

#: From Python 3.12 on, AWS does not escape characters outside ASCII.
ESCAPES = os.environ.get("AWS_EXECUTION_ENV") in {f"AWS_Lambda_python3.{minor}" for minor in range(12)}
#: Placeholder for a decimal number in the encoded text, because json cannot write custom numbers.
MARK = f"decimal-{secrets.token_hex(16)}-"


def to_json(value):
    """Encode a value: decimals with all digits, named tuples as objects. Raises the same exceptions as json."""
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
        pass  # A circular reference, for which json raises its own error.
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

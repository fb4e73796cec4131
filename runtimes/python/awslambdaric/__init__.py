"""What handlers may import of AWS's runtime for Python, by the names that it has there."""

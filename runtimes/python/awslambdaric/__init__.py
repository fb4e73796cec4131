"""The modules of AWS's runtime for Python that handlers import, under the same names."""

"""Loaded before a Python program by `lamella run` and `lamella aws`, through PYTHONPATH.

The AWS CLI before 2.13 and boto3 before 1.28 read no endpoint variable, and commands such as `cloudformation package`
take no option for the clients that they use inside. This gives all clients the endpoint. Other programs, and newer
versions, are left alone.
"""
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import os
import sys

SESSIONS = ("botocore.session", "awscli.botocore.session")


def use_endpoint(module):
    package = module.__name__.rpartition(".")[0]
    if hasattr(importlib.import_module(package + ".configprovider"), "ConfiguredEndpointProvider"):
        return  # This version reads the variable.
    create = module.Session.create_client
    signature = inspect.signature(create)

    @functools.wraps(create)
    def create_client(*args, **options):
        given = signature.bind(*args, **options)
        if given.arguments.get("endpoint_url") is None:
            given.arguments["endpoint_url"] = os.environ.get("AWS_ENDPOINT_URL")
        return create(*given.args, **given.kwargs)

    module.Session.create_client = create_client


class SessionFinder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name not in SESSIONS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            use_endpoint(module)

        spec.loader.exec_module = exec_module
        return spec


def load_hidden():
    """Loads the machine's own module of this name, which this one hides."""
    here = os.path.dirname(os.path.abspath(__file__))
    others = [path for path in sys.path if os.path.abspath(path) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if os.environ.get("AWS_ENDPOINT_URL"):
    sys.meta_path.insert(0, SessionFinder())
load_hidden()

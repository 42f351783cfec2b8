"""Every public name is documented: one that the reference leaves out is a warning."""

from importlib import import_module

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

_log = logging.getLogger(__name__)

MODULES = [
    "kakehashi",
    "kakehashi.bulk",
    "kakehashi.doctor",
    "kakehashi.encoders",
    "kakehashi.evaluation",
    "kakehashi.migration",
    "kakehashi.pages",
    "kakehashi.pairing",
    "kakehashi.integrations.langchain",
    "kakehashi.integrations.llama_index",
]
BESIDE = {  # modules without __all__
    "kakehashi.errors": lambda value: isinstance(value, type),
    "kakehashi.integrations.chroma": callable,
    "kakehashi.progress": callable,
}


def public_names() -> dict[str, str]:
    """Return each public name, as users import it, with the name where it is defined."""
    names = [(module, name) for module in MODULES for name in import_module(module).__all__]
    for module, wanted in BESIDE.items():
        names += [
            (module, name)
            for name, value in vars(import_module(module)).items()
            if name[0] != "_" and getattr(value, "__module__", "") == module and wanted(value)
        ]
    values = {f"{module}.{name}": getattr(import_module(module), name) for module, name in names}
    return {name: f"{value.__module__}.{value.__qualname__}" for name, value in values.items()}


def _check(app: Sphinx, env: BuildEnvironment) -> None:
    documented = env.domains.python_domain.objects
    for name, defined in public_names().items():
        if name not in documented and defined not in documented:
            _log.warning("the reference leaves out the public name %s", name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Check once all pages were read."""
    app.connect("env-check-consistency", _check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

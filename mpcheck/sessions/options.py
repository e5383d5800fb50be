"""Options: each is declared once, as a field of the options that a session takes, and read from wherever a user may give it.

The command line (``--name``), pytest (``--mp-name``), ``mpcheck.toml`` with its ``MPCHECK_GATE_`` variables, and the tables of the
documentation are all made of these declarations; a help lists the names that there are. Nothing here imports torch: a wrong option is
refused at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

from mpcheck._errors import InputError
from mpcheck._files.io import is_file
from mpcheck._names import DEFAULT_BACKENDS
from mpcheck._variants import VARIANTS
from mpcheck.formats import FORMATS
from mpcheck.sessions.typed import backend_names

SEPARATOR = ","


@dataclass(frozen=True)
class Option:
    """What is said of a field once.

    Attributes:
        help: for people.
        name: in a command and in pytest; where it is empty the field's own with hyphens, of a list without its last s.
        metavar: what stands for the value in help.
        argument: whether it has no ``--`` on the command line.
        least, most: of a number.
        gate: whether a gate has a setting for it; rule: what a difference of that setting means, see :mod:`mpcheck.gate.differences`;
            usual: the number that a setting of 0 stands for.
        single: whether a command takes it once, though it is a list. command_only: whether pytest does not take it.
        parse: ``module:function`` from texts to the field's value, where that is more than its type says; imported when it is needed.
        variable: of the environment, which gives the default.
    """

    help: str
    name: str = ""
    metavar: str = ""
    argument: bool = False
    least: float | None = None
    most: float | None = None
    gate: bool = False
    rule: str = "changed"
    usual: float = 0.0
    single: bool = False
    command_only: bool = False
    parse: str = ""
    variable: str = ""


@dataclass(frozen=True)
class Declared:
    """An option with what its field says: ``type`` is ``str``, ``int``, ``float``, ``bool`` or ``Path``; several: whether it is a list."""

    field: str
    option: Option
    type: type
    several: bool
    default: Any

    @property
    def name(self) -> str:
        """As users type it: ``allow-degraded``."""
        singular = self.field[:-1] if self.several and self.field.endswith("s") else self.field
        return self.option.name or singular.replace("_", "-")

    def parsed(self, texts: Sequence[str], where: str) -> Any:
        """The field's value.

        Args:
            texts: as typed, one for each time; where: the user gave it, for errors.

        Raises:
            InputError: no number where one belongs, or one out of range.
        """
        if self.option.parse:
            return resolve(self.option.parse)(texts)
        values = [self._within(self.typed(text, where), where) for text in texts]
        return tuple(dict.fromkeys(values)) if self.several else values[-1] if values else self.default

    def typed(self, text: str, where: str) -> Any:
        """One text as what the field holds, whatever its range.

        Raises:
            InputError: no number, or no truth value, where one belongs.
        """
        if self.type in (str, Path):
            return self.type(text)
        if self.type is bool:
            known = {"true": True, "1": True, "false": False, "0": False}
            if text.lower() not in known:
                raise InputError(f"{where} is {text!r}; give true or false")
            return known[text.lower()]
        try:
            return self.type(text)
        except ValueError as error:
            raise InputError(f"{where} is {text!r}; give a number such as {self.default or 1}") from error

    def _within(self, value: Any, where: str) -> Any:
        least, most = self.option.least, self.option.most
        if (least is not None and value < least) or (most is not None and value > most):
            raise InputError(f"{where} is {value}; give a number from {least} to {most if most is not None else 'any'}")
        return value


def declared(options: Any) -> dict[str, Declared]:
    """The options among the fields of a dataclass or of a strict model, which is given as its class, by field, in their order."""
    if options not in _DECLARED:
        _DECLARED[options] = _read(options)
    return _DECLARED[options]


_DECLARED: dict[Any, dict[str, Declared]] = {}


def _read(options: Any) -> dict[str, Declared]:
    hints, read = get_type_hints(options, include_extras=True), {}
    for name, default in _defaults(options):
        hint = hints[name]
        option = next((arg for arg in get_args(hint)[1:] if isinstance(arg, Option)), None) if get_origin(hint) is Annotated else None
        if option is not None:
            kind, several = _type(get_args(hint)[0])
            read[name] = Declared(name, option, kind, several, default)
    return read


def _defaults(options: type) -> Iterator[tuple[str, Any]]:
    if hasattr(options, "model_fields"):
        return ((name, info.get_default(call_default_factory=True)) for name, info in options.model_fields.items())
    return ((one.name, one.default) for one in fields(options))


def _type(hint: Any) -> tuple[type, bool]:
    """What a field holds, and whether it holds several."""
    if get_origin(hint) in (tuple, list):
        return _type(get_args(hint)[0])[0], True
    choices = [arg for arg in get_args(hint) if arg is not type(None)] or [hint]
    one = choices[0] if isinstance(choices[0], type) else type(choices[0])  # of a Literal, its values' type
    return one, False


def resolve(reference: str) -> Any:
    """What ``module:name`` names. What a session declares is imported only when it is used, so that declaring it costs nothing."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


def values_of(options: type, given: Mapping[str, Any], where: str = "--") -> dict[str, Any]:
    """Fields from what a command line gave; what it left out is not there.

    Args:
        given: by option's name; texts, lists of texts, or values that a parser has typed already. None, an empty list and an empty text are
            left out.
        where: the beginning of an option's name in errors.

    Raises:
        InputError: see :meth:`Declared.parsed`.
    """
    values = {}
    for name, one in declared(options).items():
        value = given.get(one.name)
        if value in (None, "", (), []):
            continue
        texts = [str(v) for v in value] if isinstance(value, (list, tuple)) else [str(value)]
        values[name] = one.parsed(texts, f"{where}{one.name}")
    return values


def split(text: str) -> list[str]:
    """Names between commas."""
    return [part.strip() for part in text.split(SEPARATOR) if part.strip()]


def split_systems(text: str) -> list[str]:
    """Names between commas; a file whose own name has one is named as it is."""
    return [text] if is_file(Path(text.rpartition("@")[0] or text)) else split(text)


MODELS = "builtin:hco, recipe:NAME, FILE.model, ARCH.yaml[+WEIGHTS], mace_mp:NAME or mace_off:NAME"


MODEL = Option(MODELS, metavar="MODEL", argument=True, gate=True)
SYSTEM = Option("builtin:NAME[:N] or FILE[@SLICE]; default: the built-in ones that the model's elements allow", gate=True, rule="names")
DEVICE = Option("cpu, cuda or cuda:N", metavar="DEVICE", gate=True, parse="mpcheck.sessions.typed:parse_device")
BACKEND = Option(
    f"{', '.join(backend_names())}, in precision each also with +{', +'.join(VARIANTS)}; default: e3nn and cueq", gate=True, rule="backends",
    parse="mpcheck.sessions.typed:parse_backends",
)  # fmt: skip
FORMAT = Option(f"number format: {', '.join(FORMATS)}; default: all", gate=True, rule="formats", parse="mpcheck.formats:own_names")
BLOCK = Option("block, as a glob pattern; default: all", gate=True, rule="patterns")
CACHE = Option("directory of references; default: the platform's cache directory", metavar="DIR", variable="MPCHECK_CACHE_DIR")
REFERENCES = Option(
    "host or device: where references are made; default: on the device, beside a GPU of slow float64 on its host", metavar="WHERE",
    variable="MPCHECK_REFERENCES", parse="mpcheck.sessions.typed:parse_place",
)  # fmt: skip
ROWS = Option(
    "sample or all: whether blocks with large tensors are judged on some of their rows; default: sample", metavar="WHICH",
    parse="mpcheck.sessions.typed:parse_rows",
)  # fmt: skip
MEMORY = Option("refuse what takes more, such as 8GB; default: what is free", metavar="SIZE", parse="mpcheck.sessions.typed:parse_size")
CACHE_LIMIT = Option(
    "refuse references that take more in the cache, such as 2GB; default: what is free there", metavar="SIZE",
    parse="mpcheck.sessions.typed:parse_cache_size",
)  # fmt: skip
REQUIRE = Option("cuda, cueq, cueq-kernels, baseline or a backend: what is missing fails instead of being unsupported", gate=True, rule="stricter")
ALLOW_DEGRADED = Option("backend, or BACKEND:BLOCK, as a glob pattern, that something else may compute; default: none", gate=True, rule="looser")
TOLERANCES = Option("a tolerance file instead of the packaged limits", metavar="FILE")
SEED = Option("of built-in systems, cotangents and Monte Carlo draws", metavar="N", least=0)
SHARD = Option(
    "part K of N of the work, for several machines; `mpcheck merge` puts the parts together", metavar="K/N",
    parse="mpcheck.records.shards:normalised",
)  # fmt: skip
BASELINES = Option("directory of stored baselines; default: ./baselines", metavar="DIR", gate=True, rule="named")
CHECK = Option("one of the session's checks; default: all")


@dataclass(frozen=True)
class Options:
    """What a user asks of any session: options as they are declared above; what is empty or None stands for the default.

    Attributes:
        draws: of a Monte Carlo estimate; None for :data:`mpcheck.reference.spec.DRAWS`.
        told: options of one session alone, by field, that a reader of its records needs.
        sees_all: whether a session looks at all rows of all tensors, whatever blocks are judged on elsewhere.
        takes_variants: whether the session judges backends in a variant, ``e3nn+compile``.
        shard_rows: where the records of a part of the work stand in the whole session's, by kind; see :func:`mpcheck.records.shards.runs`.
        progress: takes each line that says what is being done.
    """

    told: ClassVar[tuple[str, ...]] = ()
    sees_all: ClassVar[bool] = False
    takes_variants: ClassVar[bool] = False

    model: Annotated[str, MODEL] = "builtin:hco"
    systems: Annotated[tuple[str, ...], SYSTEM] = ()
    device: Annotated[str, DEVICE] = "cpu"
    backends: Annotated[tuple[str, ...], BACKEND] = DEFAULT_BACKENDS
    formats: Annotated[tuple[str, ...], FORMAT] = ()
    blocks: Annotated[tuple[str, ...], BLOCK] = ()
    cache: Annotated[Path | None, CACHE] = None
    references: Annotated[str, REFERENCES] = ""
    rows: Annotated[str, ROWS] = ""
    memory_limit: Annotated[str, MEMORY] = ""
    cache_limit: Annotated[str, CACHE_LIMIT] = ""
    require: Annotated[tuple[str, ...], REQUIRE] = ()
    allow_degraded: Annotated[tuple[str, ...], ALLOW_DEGRADED] = ()
    tolerances: Annotated[Path | None, TOLERANCES] = None
    seed: Annotated[int, SEED] = 0
    draws: int | None = None
    shard: Annotated[str, SHARD] = ""
    shard_rows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    progress: Callable[[str], None] = field(default=lambda _: None, compare=False)


def plain(options: Options) -> dict[str, Any]:
    """What every session is asked, as data; neither what one session alone takes, nor what a process keeps for itself."""
    values = {one.name: getattr(options, one.name) for one in fields(Options) if one.name != "progress"}
    return {k: str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v for k, v in values.items()}


@dataclass(frozen=True)
class InspectedOptions(Options):
    """What a session of several checks takes.

    Attributes:
        checks: those that are run; empty for all of the session's.
    """

    checks: Annotated[tuple[str, ...], CHECK] = ()

"""Any backend in a variant: its model through TorchScript, ``torch.compile`` or a CUDA graph.

A variant is a backend of its own, named ``BACKEND+VARIANT``, and needs no class of its own for each backend: it takes the base's model, puts
what a compiler makes of a module in the module's place, and calls the base's model with it. Its whole model runs as its users run it.
"""

from __future__ import annotations

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported, no_device
from mpcheck._variants import CUDAGRAPH, PLUS, SCRIPT, STRICT
from mpcheck.adapters.backends.base import BackendBase
from mpcheck.adapters.backends.protocol import Backend, BackendModel
from mpcheck.adapters.backends.protocol import unavailable as base_unavailable
from mpcheck.adapters.backends.variant_model import VariantModel
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.compiler import strict_settings
from mpcheck.adapters.compiling import rebuilt
from mpcheck.adapters.scripting import lost_in_script


class VariantBackend(BackendBase):
    """A backend in a variant.

    Attributes:
        base: the backend. variant: one of :data:`mpcheck._variants.VARIANTS`.
    """

    def __init__(self, base: Backend, variant: str, name: str = "") -> None:
        """Args:
        name: under which the base is registered, where that is not its own.
        """
        self.base, self.variant = base, variant
        self.base_name = name or base.name
        self.name = f"{self.base_name}{PLUS}{variant}"

    def unavailable(self, device: str) -> Unsupported | None:
        """The base's reason, or the variant's."""
        if why := base_unavailable(self.base, device):
            return why
        if self.variant == CUDAGRAPH and not device.startswith("cuda"):
            return no_device()
        if self.variant == STRICT and isinstance(settings := strict_settings(), Unsupported):
            return settings
        return None

    def build(self, model: torch.nn.Module, device: torch.device) -> VariantModel:
        """The base's model, and what the variant makes of it."""
        return self.of(self.base.build(model, device))

    def of(self, built: BackendModel) -> VariantModel:
        """The variant of a model that the base has built, which stays as it is.

        Raises:
            NotImplementedError: upstream's recipe cannot make the model anew; the message says why.
        """
        if (model := built.module(WHOLE)) is None:
            raise NotImplementedError(f"{self.base_name} has no whole model")
        if self.variant == SCRIPT and (why := lost_in_script(model)):
            raise NotImplementedError(why)
        if self.variant in (SCRIPT, CUDAGRAPH) or model is not built.source:  # of another backend upstream compiles the model that it has
            return VariantModel(self.name, self.variant, built, whole=False)
        anew = attempt(lambda: rebuilt(model))
        if isinstance(anew, (Raised, Unsupported)):
            raise NotImplementedError(anew.text if isinstance(anew, Unsupported) else f"upstream's recipe for compilation raised {anew.text}")
        return VariantModel(self.name, self.variant, built.around(anew.to(built.device)), whole=True)


def made_of(backend: VariantBackend, built: BackendModel | Unsupported) -> BackendModel | Unsupported:
    """A variant of what its base has built, or why there is none."""
    if isinstance(built, Unsupported):
        return built
    try:
        return backend.of(built)
    except NotImplementedError as error:
        return Unsupported("no-conversion", str(error), backend.name)

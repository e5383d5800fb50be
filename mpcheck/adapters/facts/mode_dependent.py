"""Modules that compute otherwise in training than in evaluation, because they declare so."""

from __future__ import annotations

import torch
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from mpcheck.adapters.upstream import e3nn_nn


def mode_dependent(model: torch.nn.Module) -> dict[str, str]:
    """What each module that is not the same in training is, by its name: something random, or statistics of the batch at hand."""
    told = {}
    for name, module in model.named_modules():
        if isinstance(module, (_DropoutNd, e3nn_nn.Dropout)) and float(module.p) > 0:
            told[name] = f"{type(module).__name__}, which is random in training"
        elif isinstance(module, torch.nn.RReLU) and module.lower != module.upper:
            told[name] = "RReLU, which is random in training"
        elif isinstance(module, e3nn_nn.BatchNorm) or (isinstance(module, _NormBase) and module.track_running_stats):
            told[name] = f"{type(module).__name__}, which takes the statistics of the batch in training"
    return told

"""Faults of policies of whole models, planted into what applies them, with sound lookalikes; each must be seen by ``mpcheck policy``.

They lie apart from the catalogue's: no block's replay runs their code, so that none of its other checks could see them.
"""

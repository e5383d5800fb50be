"""What people save: pickles of models and what they are held in, state dicts, checkpoints, converted models, adapters."""

# SPDX-License-Identifier: Apache-2.0
"""With the folder above this one on PYTHONPATH, `import wandb` gives `besom.wandb`, from wherever Besom is."""
import os
import sys

try:
    import besom.wandb as _besom
except ImportError:
    sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..")))
    for _name in [_name for _name in sys.modules if _name == "besom" or _name.startswith("besom.")]:
        del sys.modules[_name]
    import besom.wandb as _besom

_besom._alias.take_name()

# SPDX-License-Identifier: Apache-2.0
"""`wandb.data_types`."""
from .._media import (Audio, Bokeh, BoundingBoxes2D, Box3D, Classes, Graph, Histogram, Html, Image,  # noqa: F401
                      ImageMask, Media, Molecule, Object3D, Plotly, Video)
from .._table import JoinedTable, Table  # noqa: F401

WBValue = Media

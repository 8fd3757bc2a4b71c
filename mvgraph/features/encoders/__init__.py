"""Pretrained encoders, one file each: from a second of sound, or from pictures, to one row.

A third party's encoder is one file with a subclass of `Encoder`, registered under the entry-point group
`mvgraph.encoders` or named as `module:Class`.
"""

from mvgraph.features.encoders.base import Encoder

__all__ = ["Encoder"]

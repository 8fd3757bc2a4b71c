"""The base of every named data set: a class that says what it holds and under which terms, and reads it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from mvgraph.data.card import Card
from mvgraph.data.multiview import MultiViewData
from mvgraph.errors import UserError


class DataSet(ABC):
    """A data set by name. A new one is one file: a subclass with these class variables and `read`.

    Everything but `read` is known without touching the data, so that lists and plans need no download.
    Subclasses register under the entry-point group `mvgraph.datasets`. They are never instantiated.
    """

    #: The name users type; also the name on the card.
    name: ClassVar[str]
    title: ClassVar[str]
    #: Where the numbers come from: an archive and its version, or an address.
    source: ClassVar[str]
    #: Licence of the data (and of the archive that carries it, if another).
    licence: ClassVar[str]
    citation: ClassVar[str]
    #: One sentence per trap or choice that a user must know.
    notes: ClassVar[tuple[str, ...]] = ()
    n_samples: ClassVar[int]
    n_classes: ClassVar[int]
    #: Width d_v of each view.
    view_dims: ClassVar[Mapping[str, int]]
    #: One line of text for lists; made from the shape.
    summary: ClassVar[str] = ""
    #: True if the first use fetches something over the network.
    fetches: ClassVar[bool] = False

    def __init_subclass__(cls, base: bool = False, **options: object) -> None:
        """`base` marks a class that only others derive from; one that can be read must say what it is."""
        super().__init_subclass__(**options)
        steps = (getattr(cls, step, None) for step in ("read", "convert"))
        if base or any(getattr(step, "__isabstractmethod__", False) for step in steps):
            return
        needed = (
            "name",
            "title",
            "source",
            "licence",
            "citation",
            "n_samples",
            "n_classes",
            "view_dims",
        )
        for attribute in needed:
            if not hasattr(cls, attribute):
                raise UserError(f"Data set class {cls.__name__} lacks the class variable {attribute!r}.")
        if not vars(cls).get("summary"):
            dims = ", ".join(f"{view} {width}" for view, width in sorted(cls.view_dims.items()))
            cls.summary = (
                f"{cls.n_samples} samples, {len(cls.view_dims)} views ({dims}), {cls.n_classes} classes"
            )

    @classmethod
    def card(cls) -> Card:
        return Card(
            name=cls.name,
            title=cls.title,
            source=cls.source,
            licence=cls.licence,
            citation=cls.citation,
            notes=cls.notes,
        )

    @classmethod
    @abstractmethod
    def read(cls) -> MultiViewData:
        """Read the data, fetching it if need be; `load` checks what comes back."""

    @classmethod
    def load(cls) -> MultiViewData:
        """Read the data and hold it against the shape the class declares.

        Raises:
            UserError: the data cannot be had, or is not what the class says.
        """
        data = cls.read()
        declared = (cls.n_samples, dict(sorted(cls.view_dims.items())), cls.n_classes)
        found = (data.n_samples, data.view_dims, data.n_classes)
        for what, expected, actual in zip(
            ("samples", "view widths", "classes"), declared, found, strict=True
        ):
            if expected != actual:
                raise UserError(
                    f"Data set {cls.name!r} declares {what} {expected}, but its data has {actual}."
                )
        return data

"""The contract of a method: the checks in the order in which a reader wants to hear of failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mvgraph.contract import declared, forward, invariance, leaks, memory, outcome, repeat
from mvgraph.contract.case import MethodCase
from mvgraph.contract.result import Check, CheckResult, run_checks
from mvgraph.fusion import Method

Rule = Callable[[MethodCase], bool]


def _network(case: MethodCase) -> bool:
    return case.is_network


def _without_control(case: MethodCase) -> bool:
    """A control is there to make the method worse and to depend on node numbers."""
    return not case.controlled


def _equivariant(case: MethodCase) -> bool:
    return case.tags.permutation_equivariant and not case.controlled


def _restrictable(case: MethodCase) -> bool:
    return case.is_network and not case.tags.full_graph


def _linear(case: MethodCase) -> bool:
    return not case.tags.quadratic


METHOD_CHECKS: tuple[Check[MethodCase], ...] = (
    Check("metadata", declared.metadata),
    Check("options", declared.options_survive_json),
    Check("unknown-option", declared.unknown_option_is_refused),
    Check("search-space", declared.search_space_works),
    Check("shapes", forward.shapes_for_any_number_of_views),
    Check("gradients", forward.gradients_reach_every_parameter, _network),
    Check("receptive-field", forward.receptive_field_is_exact, _restrictable),
    Check("probabilities", outcome.probabilities_are_probabilities),
    Check("learns", outcome.learns_what_is_easy, _without_control),
    Check("diagnostics", outcome.diagnostics_are_plain),
    Check("graph-tag", outcome.graph_is_used_as_tagged, _without_control),
    Check("missing-views", outcome.missing_views_as_tagged),
    Check("same-seed", repeat.same_seed_same_numbers),
    Check("other-seed", repeat.other_seed_other_numbers, _network),
    Check("global-generators", repeat.global_generators_untouched),
    Check("save-load", repeat.save_and_load, _network),
    Check("parameter-count", repeat.parameter_count_is_stable),
    Check("sample-order", invariance.sample_order, _equivariant),
    Check("view-order", invariance.view_order),
    Check("test-labels", leaks.test_labels_change_nothing),
    Check("unlabelled-rows", leaks.unlabelled_rows_change_nothing),
    Check("memory", memory.no_matrix_over_all_pairs, _linear),
)


def check_method(
    method: str | type[Method] | MethodCase, only: Iterable[str] | None = None
) -> list[CheckResult]:
    """Hold a method against the contract.

    Args:
        method: registered name, `family:argument`, `name@control`, `module:Class`, or a class.
        only: names of the checks to run; None runs all that apply.

    Returns:
        One result per check that the method's tags ask for.

    Raises:
        UserError: there is no such method or no such check.
    """
    case = method if isinstance(method, MethodCase) else MethodCase(method)
    return run_checks(case, METHOD_CHECKS, only)

"""A hook for pyFAI's own integration: predict on each frame that ``pyFAI.app.integrate.process`` integrates.

``process`` calls the methods of its observer and asks no more of it, so this one derives from nothing: importing
``pyFAI.app.integrate`` sets up the logging of the whole program, which is for the program to decide.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pyfai_grf.analysis.recorder import Outputs, Recorder
from pyfai_grf.core.errors import GrfError
from pyfai_grf.fit.options import FitOptions
from pyfai_grf.learn.bundle import Model, load_model

if TYPE_CHECKING:
    from pyfai_grf.core.records import Result

logger = logging.getLogger(__name__)


class PredictionObserver:
    """Predicts on every 1D result of one run of ``pyFAI.app.integrate.process(..., observer=...)``.

    Nothing that goes wrong here reaches pyFAI: it is logged as a warning and stands in ``problems``, and the
    integration goes on. Leave the context (or call ``close``) so that the results file is complete even if the
    integration itself is cut short; at its regular end that happens by itself. ::

        with PredictionObserver("two-phase-low-porosity", "results.h5") as observer:
            process(frames, "integrated.h5", config, observer)
        observer.results, observer.problems

    ``options`` are those of the fit that follows the regressors; None: none does.

    Attributes
    ----------
    results : one per integrated frame, in order; NaN where nothing can be told from the curve.
    problems : one line for each thing that went wrong.

    Raises
    ------
    BundleError, InputError
        When it is made: if there is no such model, or the results file exists (unless ``overwrite``) or cannot be
        written.
    """

    def __init__(
        self,
        model: Model | str,
        output: str | os.PathLike[str] | None = None,
        on_result: Callable[[Result], None] | None = None,
        *,
        overwrite: bool = False,
        options: FitOptions | None = FitOptions(compared=3),  # noqa: B008  (frozen)
    ) -> None:
        self.model = load_model(model) if isinstance(model, str) else model
        self.results: list[Result] = []
        self.problems: list[str] = []
        self._on_result = on_result
        self._is_stop_requested = False
        outputs = Outputs(output, overwrite=overwrite)
        command = "pyfai_grf_pyfai.observer.PredictionObserver"
        self._recorder = Recorder(self.model, {"host": "pyFAI.app.integrate"}, command, outputs, options)
        self._is_writing = True

    def data_result(self, data_info: Any, result: Any) -> None:
        """Predict on one integrated frame (pyFAI's DataInfo and Integrate1dResult)."""
        try:
            self._predict(data_info, result)
        except Exception as problem:  # a guest's fault must not end its host's integration
            self._report(problem)

    def _predict(self, data_info: Any, result: Any) -> None:
        from pyfai_grf.reduce.integrated import convert_result, is_counted

        source = data_info.source_filename or f"array {data_info.source_id}"
        metadata = {"source": str(source), "frame_index": int(data_info.frame_id or 0)}
        try:
            curve = convert_result(result, metadata, is_counts=is_counted(data_info.data))
        except GrfError as problem:
            message = f"{source} frame {metadata['frame_index']}: {problem}"
            raise type(problem)(message, problem.hint, **problem.facts) from None
        outcome = self._recorder.analyze(curve)
        if outcome.problem:
            self._report(outcome.problem)
        if outcome.result is not None:
            self._deliver(outcome.result)

    def _deliver(self, result: Result) -> None:
        self.results.append(result)
        if self._is_writing:
            try:
                self._recorder.write(result)
            except GrfError as problem:
                self._is_writing = False  # one report, not one a frame
                self._report(problem)
        if self._on_result is not None:
            self._on_result(result)

    def _report(self, problem: Exception | str) -> None:
        fault = None if isinstance(problem, str | GrfError) else problem
        text = str(problem) if fault is None else f"{type(fault).__name__}: {fault}"
        self.problems.append(text)
        logger.warning("%s (the integration goes on)", text, exc_info=fault)

    def close(self) -> None:
        """Complete the results file; a second time does nothing."""
        try:
            self._recorder.close()
        except GrfError as problem:
            self._report(problem)

    def __enter__(self) -> PredictionObserver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- what else pyFAI calls --------------------------------------------------------------------------------------

    def is_interruption_requested(self) -> bool:
        """Return whether pyFAI shall stop after the present frame."""
        return self._is_stop_requested

    def request_interruption(self) -> None:
        """Ask pyFAI to stop after the present frame."""
        self._is_stop_requested = True

    def worker_initialized(self, worker: Any) -> None:
        """Do nothing."""

    def processing_started(self, data_count: int) -> None:
        """Do nothing."""

    def processing_data(self, data_info: Any, approximate_count: int | None = None) -> None:
        """Do nothing."""

    def processing_interrupted(self, reason: Any = None) -> None:
        """Do nothing; ``processing_finished`` follows."""

    def processing_succeeded(self) -> None:
        """Do nothing; ``processing_finished`` follows."""

    def processing_finished(self) -> None:
        """Complete the results file."""
        self.close()

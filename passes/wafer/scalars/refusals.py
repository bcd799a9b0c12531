"""What is said of operations that the wafer has no lowering for."""

from ...infra.diagnostics import PassFailure


class NoLowering(PassFailure):
    """An operation is one that PEs cannot do, whatever the plan; with `fallback="cpu"` the CPU does it."""

    def __init__(self, at: object, message: str) -> None:
        super().__init__(
            at,  # type: ignore[arg-type]
            message,
            hint="target='cpu' runs the whole model, fallback='cpu' what has no lowering to the wafer",
        )

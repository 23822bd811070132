"""What a broker says again of an execution: a correction replaces what is counted. Pure."""

from events import CommissionCharged, CommissionCorrected, FillCorrected, OrderFilled
from projections.executions import Executions

Report = OrderFilled | CommissionCharged


def correction(
    executions: Executions, report: Report
) -> FillCorrected | CommissionCorrected | None:
    """Return the correction that `report` is of what is counted, None where it is none."""
    counted = executions.counted(report)
    if counted is None or report.revision <= counted.revision:
        return None
    if isinstance(report, CommissionCharged):
        return CommissionCorrected(
            report.client_order_id,
            report.execution_id,
            report.amount,
            report.revision,
            counted.number,
        )
    return FillCorrected(
        report.client_order_id,
        report.execution_id,
        report.symbol,
        report.quantity,
        report.price,
        report.executed_at,
        report.revision,
        counted.number,
        counted.price,
    )


def is_outdated(executions: Executions, report: Report) -> bool:
    """Say whether `report` is what a correction has replaced already."""
    counted = executions.counted(report)
    return counted is not None and report.revision < counted.revision

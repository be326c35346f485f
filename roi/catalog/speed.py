"""What a plan's training speed rests on, card by card: the best of what the profiles hold."""

from collections.abc import Callable, Sequence

from roi.catalog.calibrations import CalibrationFile, speed_evidence
from roi.catalog.efficiencies import training_efficiencies
from roi.catalog.profiles import Store, device_profiles
from roi.errors import InputError
from roi.estimate.calibration import Evidence, layout_of
from roi.estimate.device_evidence import device_evidence
from roi.estimate.device_rates import device_rates
from roi.estimate.plan import TrainingPlan
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.profile import DryRunProfile


def plan_speed(
    shape: ModelShape, plan: TrainingPlan, dry: DryRunProfile | None, store: Store,
    calibrations: Sequence[CalibrationFile] = (),
) -> Callable[[Gpu], Evidence]:
    """Evidence for any card, best first: training profiles on it; its measured rates with the plan's dry run; published runs.

    `store` holds training and device profiles; `dry` is a dry run of this very plan.
    """
    fitted, layout = speed_evidence(store, calibrations), layout_of(plan)

    def evidence(gpu: Gpu) -> Evidence:
        found = fitted(gpu, layout)
        if found.level == "profile" or dry is None or not dry.operators or plan.gpus > 1:
            return found
        for stored in device_profiles(store, gpu.id):
            try:
                rates = device_rates(stored.profile)
            except InputError:
                continue  # too short to give a rate: the next one, or published runs
            known = training_efficiencies().step()
            return device_evidence(shape, plan, gpu, dry.operators, rates, known, stored.name)
        return found

    return evidence

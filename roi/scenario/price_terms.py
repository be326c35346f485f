"""Scenario blocks about prices over time: drift, the life of vendor models, and the terms of owning GPUs."""

from typing import Annotated

from pydantic import Field

from roi.scenario.quantity import AtLeastOne, NonNegative, PerYear, Positive, Section, Share, spread, unit


class Drift(Section):
    """How prices move, each both ways."""

    gpu_rent_per_year: Annotated[PerYear, unit("1/year")] = spread(
        0.0, -0.35, 0.55, "H100: 8 USD (2023), 1.70 (Oct 2025), 2.69 to 3.99 (Nov 2026); mean zero, sd 25 to 30%"
    )
    """Drift of GPU rent, effective annual."""
    successor_price_ratio: Annotated[Positive, unit("ratio")] = spread(
        1.0,
        0.4,
        1.6,
        "list prices are flat until a model ends; successors came both cheaper and dearer (gpt-4o to gpt-5 0.5x in,"
        " gpt-5.1 to gpt-5.4 2x in)",
    )
    """Price of a successor over the model it replaces."""
    successor_price_ratio_own: Annotated[Positive, unit("ratio")] = spread(1.0, 0.8, 1.25, "one vendor against the others")
    """The part of it that differs between vendors."""
    successor_error_ratio: Annotated[Positive, unit("ratio")] = spread(
        1.0, 0.85, 1.1, "successors are mostly no worse on a fixed task; prompts must be ported"
    )
    """Error rate of a successor over the model it replaces."""
    model_life_months: Annotated[AtLeastOne, unit("months")] = spread(
        18.0, 10.0, 32.0, "gpt-4o 32, gpt-4.1 21, gpt-5 16, gemini-2.5 18, claude-sonnet-4-5 14 months from release to end"
    )
    """Months until a vendor model without an announced end ends, and again for each successor."""


class OwnHardware(Section):
    """Terms of buying GPUs."""

    resale_usd_per_gpu: Annotated[NonNegative, unit("USD")] | None = None
    """What a GPU that you own already would fetch today, server share included: it costs that, not its price. Absent = buy."""
    host_usd_per_gpu: Annotated[NonNegative, unit("USD")] = spread(
        3500.0,
        1500.0,
        12000.0,
        "8-GPU node at 300 to 350k less its cards: 2 to 12k a GPU; small hosts 1.5 to 3k",
    )
    """Chassis, CPU, memory, network for one GPU, where the price of the GPU is the card's alone."""
    install_share: Annotated[Share, unit("share")] = spread(0.15, 0.05, 0.3, "racks, network, shipping over GPU price")
    """Installation over purchase price."""
    pue: Annotated[Positive, unit("ratio")] = spread(1.4, 1.15, 1.6, "vendors 1.1 to 1.2, industry mean 1.55 to 1.58")
    """Power usage effectiveness."""
    usd_per_kwh: Annotated[NonNegative, unit("USD/kWh")] = 0.0
    """Electricity on your own premises (USD 0.06 to 0.20); 0 = colocation, whose price per kW includes it."""
    power_share: Annotated[Share, unit("share")] = spread(0.7, 0.4, 1.0, "mean draw over board limit; idle cards draw a fifth")
    """Mean power draw over the board limit."""
    colocation_usd_per_kw_month: Annotated[NonNegative, unit("USD/kW/month")] = spread(
        180.0, 150.0, 250.0, "USD 150 to 250, power included"
    )
    """Space and power, per kW of board power; 0 where usd_per_kwh is stated and this is not."""
    spare_share: Annotated[Share, unit("share")] = 0.0
    """Spare GPUs in the cupboard over those in use."""
    life_months: Annotated[int, Field(ge=6, le=240)] = 48
    """Months until a GPU is replaced."""
    value_kept_per_year: Annotated[Share, unit("share")] = spread(
        0.65, 0.5, 0.8, "20 to 40% left after 36 months, newer cards more"
    )
    """Resale value kept from year to year."""
    gpus_per_server: Annotated[int, Field(ge=1, le=16)] = 8
    """GPUs are bought in servers of this size, or smaller where the fleet is smaller than one."""

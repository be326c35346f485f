"""What GPUs cost to buy, from data/purchase.csv."""

from datetime import date
from functools import cache

from roi.catalog.gpus import find_gpu
from roi.catalog.rows import priced_rows, read_rows
from roi.errors import ScenarioError
from roi.facts.price import PurchasePrice


@cache
def purchase_prices(as_of: date) -> tuple[PurchasePrice, ...]:
    """The newest price on or before `as_of` for each GPU."""
    return priced_rows(read_rows("purchase.csv", PurchasePrice), lambda row: row.gpu, as_of)


def purchase_price(gpu: str, as_of: date) -> PurchasePrice:
    """The price of one GPU on `as_of`; an error names the GPUs that have one."""
    wanted = find_gpu(gpu).id
    prices = {row.gpu: row for row in purchase_prices(as_of)}
    if wanted not in prices:
        raise ScenarioError("gpu", gpu, f"no purchase price is known; known: {', '.join(prices)}. State usd_per_gpu")
    return prices[wanted]

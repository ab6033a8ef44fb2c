"""Many backtests at once, in processes of any kind."""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta


def backtest(_=None):
    from gridbot.optimize.backtesting import Backtesting

    start = datetime(2024, 1, 1)
    result = Backtesting("LTC/USDT").run([(start, 100.0), (start + timedelta(hours=1), 110.0)])
    return result["profit"], sorted(result["order_types"]), sys.modules["gridbot.persistence"].__name__


def in_pool(method):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        return pool.submit(backtest).result(timeout=60)


def in_joblib():
    from joblib import Parallel, delayed

    return Parallel(n_jobs=2)(delayed(backtest)(n) for n in range(2))[0]

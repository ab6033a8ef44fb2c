from datetime import UTC, datetime, timedelta
from unittest.mock import MagicMock, patch

import pytest
from gridbot.enums import ExitType
from gridbot.exceptions import ConfigurationError, GridbotException, OperationalException
from gridbot.optimize.sweep import backtest
from gridbot.persistence import Trade, init_db
from gridbot.rpc import RPC, RPCException
from gridbot.worker import Worker, answer


def test_trade(worker, bought):
    worker.sell(bought, answer("2", "sell", 110.0, 2.0))
    assert not bought.is_open
    assert bought.close_profit_abs == 19.58  # 220 * 0.999 - 200 * 1.001
    assert RPC().profit() == 19.58


def test_status(bought):
    assert RPC().status()[0]["pair"] == "LTC/USDT"
    with patch("gridbot.persistence.Trade.get_open_trades", return_value=[]):
        with pytest.raises(RPCException):
            RPC().status()
    with patch("gridbot.rpc.Trade.get_open_trades", MagicMock(return_value=[])), pytest.raises(GridbotException):
        RPC().status()


def test_locks(worker):
    (lock,) = RPC().lock("LTC/USDT", datetime.now(UTC) + timedelta(hours=1), "cooldown")
    assert lock["reason"] == "cooldown"


def test_engine_is_created_by_models():
    with patch("gridbot.persistence.models.create_engine", side_effect=ConfigurationError("stop")) as create:
        with pytest.raises(OperationalException, match="stop"):
            init_db("sqlite://")
    assert create.call_count == 1


def test_bad_url():
    with pytest.raises(OperationalException, match="no valid database URL"):
        init_db("unknown:///file")


def test_steps(worker, bought):
    wrong = answer("9", "sell", 110.0, 2.0)
    assert worker.step(lambda: bought.orders[0].update_from_ccxt_object(wrong)).startswith("retry: Order-id's")
    assert worker.step(lambda: Worker("sqlite:///")).startswith("stopped: ")


def test_exits():
    assert f"{ExitType('grid_exit')}" == "grid_exit"
    assert ExitType.FORCE_EXIT.is_forced


def test_backtest():
    assert backtest() == (19.58, ["LocalOrder"], "tradestore")


def test_memory(worker):
    assert Trade.use_db

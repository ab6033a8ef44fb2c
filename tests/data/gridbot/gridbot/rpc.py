from gridbot.exceptions import GridbotException
from gridbot.persistence import PairLocks, Trade
from gridbot.persistence.models import PairLock, custom_data_rpc_wrapper


class RPCException(GridbotException):
    pass


class RPC:
    def status(self):
        trades = Trade.get_open_trades()
        if not trades:
            raise RPCException("no active trade")
        return [trade.to_json() for trade in trades]

    def lock(self, pair, until, reason):
        PairLocks.lock_pair(pair, until, reason)
        return [lock.to_json() for lock in PairLock.get_all_locks()]

    @custom_data_rpc_wrapper
    def profit(self):
        return Trade.get_total_closed_profit()

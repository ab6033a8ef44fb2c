import sys

from gridbot.exceptions import GridbotException


def main(arguments=None):
    command, *others = arguments if arguments is not None else sys.argv[1:]
    try:
        COMMANDS[command](*others)
    except GridbotException as e:
        print(f"{type(e).__name__}: {e}", file=sys.stderr)
        sys.exit(2)
    return 0


def trade(db_url):
    from gridbot.worker import Worker, answer

    worker = Worker(db_url)
    bought = worker.buy(answer("1", "buy", 100.0, 2.0))
    worker.sell(bought, answer("2", "sell", 110.0, 2.0))
    print(type(bought).__module__, bought.close_profit_abs)


def backtest(method="here"):
    from gridbot.optimize import sweep

    print(*{"here": sweep.backtest, "joblib": sweep.in_joblib}.get(method, lambda: sweep.in_pool(method))())


def environment():
    print(repr(sys.argv[0]), repr(sys.path[0]), __name__)


def fail():
    raise ValueError("a bug of the bot's")


def interrupt():
    raise KeyboardInterrupt


def stop(code):
    sys.exit(int(code))


COMMANDS = {
    "trade": trade,
    "backtest": backtest,
    "environment": environment,
    "fail": fail,
    "interrupt": interrupt,
    "exit": stop,
}

raise RuntimeError("the bot's own persistence was executed")

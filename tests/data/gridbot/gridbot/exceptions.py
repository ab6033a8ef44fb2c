class GridbotException(Exception):
    """Root of all."""


class OperationalException(GridbotException):
    """A person is needed."""


class ConfigurationError(OperationalException):
    """The configuration is wrong."""


class DependencyException(GridbotException):
    """Something does not fit."""


class PricingError(DependencyException):
    """No price."""


class ExchangeError(DependencyException):
    """The exchange refused."""


class TemporaryError(ExchangeError):
    """Try again."""

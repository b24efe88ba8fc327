from tests.double import double_precision as double_precision

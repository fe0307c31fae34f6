"""Arabic: Django has no grouping and no short date with a time; separators of the digits that the pages use."""

SHORT_DATETIME_FORMAT = "d\u200f/m\u200f/Y، H:i"
DATETIME_FORMAT = "j F Y، H:i"
DECIMAL_SEPARATOR = "."
THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3

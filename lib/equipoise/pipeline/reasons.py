"""Why files and contents cannot be used: reasons that several modules give. Needs no Spark."""

DAMAGED_FILE = "damaged_file"
EMPTY_FILE = "empty_file"
MISSING_CONTENT = "missing_content"
CONTENT_TOO_LARGE = "content_too_large"
BLOCKED_DOMAIN = "blocked_domain"
BLOCKED_URL = "blocked_url"
NOT_FINITE = "not_finite"

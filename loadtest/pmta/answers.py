"""What the stand-in says of itself. How it looks as JSON no public page says: the shapes are
ours."""

LICENCE = {"product": "PowerMTA", "edition": "enterprise", "expires": "never", "units": 4294967295}
VERSION = {"version": "5.0r8", "built": "2020-03-01"}

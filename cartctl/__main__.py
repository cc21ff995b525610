"""``python -m cartctl``."""

from cartctl.app import main

main()

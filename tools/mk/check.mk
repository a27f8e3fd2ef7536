# What can be said without running anything: format, the include rule, static analysis, the golden ABI file.
.PHONY: check format
check: setup $(IDL_STAMP)
	@$(PYTHON) tools/check.py
format: setup
	@$(PYTHON) tools/check.py --write

# Live clusters in QEMU, harmed while clients work on them; what these saw is judged by tools/linear.
#   make nemesis [SECONDS=N] [SEED=FIRST]   rounds of two minutes with the seeds from FIRST on, until the time is over or one fails
SECONDS ?= 1800
.PHONY: nemesis
nemesis: setup build $(BUILD)/host/linear
	@$(PYTHON) tools/nemesis --seconds $(SECONDS) --seed $(SEED)
test-system: $(BUILD)/host/linear

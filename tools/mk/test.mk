# Tests. A part adds to these lists; tools/testrun.py tells what an entry may be, counts, and keeps the logs.
#
#     HOST_TESTS is filled by tools/mk/host.mk: tests/host/AREA/test_*.c and tests/host/**/test_*.py
#     SIM_TESTS    += $(BUILD)/sim/simulate,--seeds,1000  (arguments follow after commas)
#     GUEST_TESTS  += init:bin/test_ipc run:bin/test_stdio,smp=2   programs of the bundle, booted through the PVH door
#     SYSTEM_TESTS is every file of tests/system
HOST_TESTS   ?=
SIM_TESTS    ?=
GUEST_TESTS  ?=
SYSTEM_TESTS ?= $(if $(wildcard tests/system/test_*.py),pytest:tests/system)

TEST_PARTS := host sim guest system
# The files among a list's entries: what has to be made before they can run.
test_programs = $(foreach entry,$(1),$(if $(findstring :,$(entry)),,$(firstword $(subst $(comma), ,$(entry)))))
comma := ,

.PHONY: test $(TEST_PARTS:%=test-%)
test: setup
	@$(foreach part,$(TEST_PARTS),rm -f $(BUILD)/test/$(part).json;) \
	  for part in $(TEST_PARTS); do $(MAKE) --no-print-directory test-$$part || true; done; \
	  $(PYTHON) tools/testrun.py summary $(TEST_PARTS)

test-host: setup $$(call test_programs,$$(HOST_TESTS))
	@$(PYTHON) tools/testrun.py run host $(HOST_TESTS)
test-sim: setup $$(call test_programs,$$(SIM_TESTS))
	@$(PYTHON) tools/testrun.py run sim $(SIM_TESTS)
test-guest: setup build
	@$(PYTHON) tools/testrun.py run --limit 300 guest $(GUEST_TESTS)
test-system: setup build
	@$(PYTHON) tools/testrun.py run --limit 3600 system $(SYSTEM_TESTS)

# Programs that test the running kernel from inside: tests/kernel/test_*.c, each the first process of a machine of its own.
GUEST_SOURCES := $(wildcard tests/kernel/test_*.c)
GUEST_PROGRAMS := $(GUEST_SOURCES:tests/kernel/%.c=test/%)
GUEST_CPUS ?= 4
$(foreach source,$(GUEST_SOURCES),$(eval $(call PLAIN_PROGRAM,$(source:tests/kernel/%.c=test/%),$(source) tests/kernel/guest.c,)))
GUEST_TESTS += $(foreach program,$(GUEST_PROGRAMS),init:$(program),smp=$(GUEST_CPUS))

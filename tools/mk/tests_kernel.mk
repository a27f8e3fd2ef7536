# Programs that test the running kernel from inside: tests/kernel/test_*.c, each the first process of a machine of its own.
GUEST_SOURCES := $(wildcard tests/kernel/test_*.c)
GUEST_PROGRAMS := $(GUEST_SOURCES:tests/kernel/%.c=test/%)
GUEST_CPUS ?= 4
$(foreach source,$(GUEST_SOURCES),$(eval $(call PLAIN_PROGRAM,$(source:tests/kernel/%.c=test/%),$(source) tests/kernel/guest.c,)))
# Once on one CPU, once on several that really run side by side, and by turns, where they meet at finer points.
GUEST_TESTS += $(foreach program,$(GUEST_PROGRAMS),init:$(program) init:$(program),smp=$(GUEST_CPUS),threads=single)
GUEST_TESTS += $(foreach program,$(GUEST_PROGRAMS),init:$(program),smp=$(GUEST_CPUS))
# Who is starved by whom shows only where the host's own scheduling cannot help.
GUEST_TESTS += init:test/test_sched,clock=instructions

# Figures in instructions; tests/bench runs it under -icount.
$(eval $(call PLAIN_PROGRAM,test/bench_kernel,tests/bench/guest/kernel.c tests/kernel/guest.c,-Itests/kernel))

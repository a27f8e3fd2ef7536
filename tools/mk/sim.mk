# The simulator: tests/sim with the same lib/ sources as the kernel links, optimised, assertions on.
#   make test-sim                  1,000 seeds, as part of the tests
#   make sim SEEDS=N [SEED=FIRST]  any number;  $(SIM) --seed S --trace replays one and tells what happened
#   make mutants                   every planted bug of tests/sim/mutants must be found within 1,000 seeds
SIM := $(BUILD)/sim/simulate
SIM_SOURCES := $(wildcard tests/sim/*.c lib/raft/src/*.c lib/tables/src/*.c lib/wire/src/*.c) \
  lib/base/crc32c.c lib/base/logformat.c
SIM_OBJECTS := $(SIM_SOURCES:%.c=$(BUILD)/sim/%.o)
SIM_CFLAGS = -std=gnu11 -O2 -g -fno-omit-frame-pointer $(WARN) -Iabi/include \
  $(foreach l,base wire raft tables,-Ilib/$(l)/include)
SEEDS ?= 1000
SEED  ?= 1

$(BUILD)/sim/%.o: %.c tools/mk/sim.mk
	@mkdir -p $(@D)
	@$(CLANG) $(SIM_CFLAGS) -MMD -MP -c $< -o $@
$(SIM): $(SIM_OBJECTS)
	@$(CLANG) $^ -o $@
-include $(SIM_OBJECTS:.o=.d)

SIM_TESTS += $(SIM),--seeds,1000
.PHONY: sim mutants
sim: $(SIM)
	@$(SIM) --seeds $(SEEDS) --seed $(SEED)
ONLY ?=
mutants:
	@$(PYTHON) tools/mutants.py --out $(BUILD)/mutants --compiler $(CLANG) --flags '$(SIM_CFLAGS)' --only '$(ONLY)'

# What the core costs, without any I/O.
BENCH_RAFT := $(BUILD)/bench/raft
.PHONY: bench-raft
bench-raft: $(BENCH_RAFT)
	@$(BENCH_RAFT)
$(BENCH_RAFT): tests/bench/host/bench_raft.c $(patsubst %.c,$(BUILD)/sim/%.o,$(wildcard lib/raft/src/*.c))
	@mkdir -p $(@D)
	@$(CLANG) $(SIM_CFLAGS) $^ -o $@

# The simulator: tests/sim with the same lib/, logstore and pure kernel/cluster sources as Shoal runs, optimised, assertions on.
#   make test-sim                  1,000 seeds, as part of the tests
#   make sim SEEDS=N [SEED=FIRST]  any number;  $(SIM) --seed S --trace replays one and tells what happened;
#                                  $(SIM) --shrink S makes a failing one small
#   make mutants [ONLY=PART] [KEEP=FOLDER]  every planted bug of tests/sim/mutants must be found within 1,000 seeds
SIM := $(BUILD)/sim/simulate
SIM_SOURCES := $(wildcard tests/sim/*.c lib/raft/src/*.c lib/tables/src/*.c lib/wire/src/*.c) \
  $(addprefix user/servers/logstore/,superblock.c groups.c scan.c) lib/base/logformat.c \
  tools/linear/linear.c kernel/cluster/lease.c kernel/cluster/members.c kernel/cluster/recover.c
SIM_OBJECTS := $(SIM_SOURCES:%.c=$(BUILD)/sim/%.o)
SIM_CFLAGS = -std=gnu11 -O2 -g -fno-omit-frame-pointer $(WARN) -Iabi/include \
  $(foreach l,base wire raft tables member,-Ilib/$(l)/include) -Iuser/servers/logstore -Itools/linear -Ikernel/cluster
SEEDS ?= 1000
SEED  ?= 1

$(BUILD)/sim/%.o: %.c tools/mk/sim.mk
	@mkdir -p $(@D)
	@$(CLANG) $(SIM_CFLAGS) -MMD -MP -c $< -o $@
$(SIM): $(SIM_OBJECTS)
	@$(CLANG) $^ -o $@
-include $(SIM_OBJECTS:.o=.d)

# make explore [STATES=N]         every order of events of three nodes within bounds: tests/sim/explore/explore.c
EXPLORE := $(BUILD)/sim/explore
STATES ?= 20000000
$(EXPLORE): $(BUILD)/sim/tests/sim/explore/explore.o $(patsubst %.c,$(BUILD)/sim/%.o,$(wildcard lib/raft/src/*.c))
	@$(CLANG) $^ -o $@
-include $(BUILD)/sim/tests/sim/explore/explore.d
.PHONY: explore
explore: $(EXPLORE)
	@$(EXPLORE) --states $(STATES)

SIM_TESTS += $(SIM),--seeds,1000 $(EXPLORE),--states,300000,--depth,16,--crashes,0,--copies,0 \
  $(EXPLORE),--states,150000,--depth,14
.PHONY: sim mutants
sim: $(SIM)
	@$(SIM) --seeds $(SEEDS) --seed $(SEED)
ONLY ?=
mutants: $(SIM)
	@$(PYTHON) tools/mutants.py --out $(BUILD)/mutants --compiler $(CLANG) --flags '$(SIM_CFLAGS)' \
	  --sources '$(SIM_SOURCES)' --objects $(BUILD)/sim --only '$(ONLY)' $(KEEP:%=--keep '%')

# What the core costs, without any I/O.
BENCH_RAFT := $(BUILD)/bench/raft
.PHONY: bench-raft
bench-raft: $(BENCH_RAFT)
	@$(BENCH_RAFT)
$(BENCH_RAFT): tests/bench/host/bench_raft.c $(patsubst %.c,$(BUILD)/sim/%.o,$(wildcard lib/raft/src/*.c))
	@mkdir -p $(@D)
	@$(CLANG) $(SIM_CFLAGS) -s $^ -o $@

# The membership layer: tests/sim/member with the same lib/member as Shoal runs.
#   make sim-member NODES=N [SEEDS=N] [SEED=FIRST] [MEMBER_ARGS="--only failure --crashes 100"]    (tests/sim/member/main.c)
MEMBER_SIM := $(BUILD)/sim/member
MEMBER_SIM_OBJECTS := $(patsubst %.c,$(BUILD)/sim/%.o,$(wildcard tests/sim/member/*.c lib/member/src/*.c))
NODES ?= 1000
$(MEMBER_SIM): $(MEMBER_SIM_OBJECTS)
	@$(CLANG) $^ -lm -o $@
-include $(MEMBER_SIM_OBJECTS:.o=.d)
SIM_TESTS += $(MEMBER_SIM),--nodes,1000,--brief,--crashes,3,--seconds,20
.PHONY: sim-member
sim-member: $(MEMBER_SIM)
	@$(MEMBER_SIM) --nodes $(NODES) --seeds $(if $(filter command% environment,$(origin SEEDS)),$(SEEDS),1) --seed $(SEED) $(MEMBER_ARGS)

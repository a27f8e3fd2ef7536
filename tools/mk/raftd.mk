# raftd-host: lib/raft behind a line protocol, for tools (docs/012-interfaces-for-tools.md). The core's objects are the
# simulator's; what is around them is built with the sanitizers in tests/host.
RAFTD := $(BUILD)/host/raftd-host
RAFTD_SOURCES := $(wildcard tools/raft/*.c) $(wildcard lib/raft/src/*.c)
RAFTD_OBJECTS := $(RAFTD_SOURCES:%.c=$(BUILD)/sim/%.o)
.PHONY: raftd-host
raftd-host: $(RAFTD)
$(RAFTD): $(RAFTD_OBJECTS)
	@mkdir -p $(@D)
	@$(CLANG) $^ -o $@
-include $(RAFTD_OBJECTS:.o=.d)

# The checker of histories, by itself; the simulator has the same search inside.
LINEAR := $(BUILD)/host/linear
$(LINEAR): $(wildcard tools/linear/*.[ch]) tools/raft/json.c tools/raft/json.h
	@mkdir -p $(@D)
	@$(CLANG) -std=gnu11 -O2 -g $(WARN) -Itools/raft -Itools/linear $(filter %.c,$^) -o $@

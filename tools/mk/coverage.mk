# make coverage: how much of lib/raft, lib/tables and lib/seal the host tests of those areas and of links, the kept inputs
# of the fuzz targets and the simulator reach, by branches and lines, as a table; what nothing reached goes to
# build/coverage/uncovered.txt. COVERAGE_SEEDS=N for the simulator's part. Fails when a library has less than COVERAGE_LEAST per
# cent of its branches, or when tests/host/uncovered.txt does not explain exactly what is left.
COVERAGE := $(BUILD)/coverage
COVERAGE_SEEDS ?= 200
COVERAGE_LEAST ?= 95
COVERED := $(wildcard lib/raft/src/*.c lib/tables/src/*.c lib/seal/src/*.c)
COVERAGE_CFLAGS = -std=gnu11 -O0 -g -fprofile-instr-generate -fcoverage-mapping $(WARN)
COVERAGE_FLAGS = -Iabi/include -Itests/host/include $(foreach l,base wire raft tables seal link,-Ilib/$(l)/include) \
  -Iuser/servers/logstore -Itools/linear -isystem $(THIRD)/bearssl/src/inc
COVERED_OBJECTS := $(COVERED:%.c=$(COVERAGE)/obj/%.o)
COVERAGE_AREAS := raft tables seal link
COVERAGE_TESTS := $(foreach a,$(COVERAGE_AREAS),$(patsubst tests/host/$(a)/%.c,$(COVERAGE)/$(a)-%,$(wildcard tests/host/$(a)/test_*.c)))

$(COVERAGE)/obj/lib/%.o: lib/%.c | $(BUILD)/host/bearssl.a
	@mkdir -p $(@D)
	@$(CLANG) $(COVERAGE_CFLAGS) $(COVERAGE_FLAGS) -MMD -MP -c $< -o $@
-include $(COVERED_OBJECTS:.o=.d)
$(COVERAGE)/libcovered.a: $(COVERED_OBJECTS)
	@rm -f $@; ar rcs $@ $^
# $(1) area: its tests, with its helpers. What an area is made of stands in its rules.mk, which is read later.
define COVERAGE_AREA
$(COVERAGE)/$(1)-%: tests/host/$(1)/%.c $(COVERAGE)/libcovered.a
	@$$(CLANG) -w -std=gnu11 -g -fprofile-instr-generate $$(COVERAGE_FLAGS) $$< \
	  $$(filter-out $$(COVERED),$$(HOST_SRCS_$(1))) $(COVERAGE)/libcovered.a $$(HOST_LIBS_$(1)) -o $$@
endef
$(foreach a,$(COVERAGE_AREAS),$(eval $(call COVERAGE_AREA,$(a))))
# Fuzz targets work through their kept inputs.
COVERAGE_FUZZ := $(patsubst %,$(COVERAGE)/fuzz-%,raft conf tables snapshot link)
$(COVERAGE_FUZZ): $(COVERAGE)/fuzz-%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $(COVERAGE)/libcovered.a
	@$(CLANG) -w -std=gnu11 -g -fprofile-instr-generate $(COVERAGE_FLAGS) $(filter %.c,$^) \
	  $(wildcard $(if $(filter link,$*),lib/link/src/*.c)) lib/base/crc32c.c tests/host/lib/base_assert.c \
	  $(COVERAGE)/libcovered.a $(BUILD)/host/bearssl.a -o $@
$(COVERAGE)/simulate: $(BUILD)/sim/simulate $(COVERED_OBJECTS)
	@$(CLANG) -fprofile-instr-generate $(filter-out $(BUILD)/sim/lib/raft/% $(BUILD)/sim/lib/tables/%,$(SIM_OBJECTS)) \
	  $(filter $(COVERAGE)/obj/lib/raft/% $(COVERAGE)/obj/lib/tables/%,$(COVERED_OBJECTS)) -o $@

.PHONY: coverage
coverage: $(COVERAGE_TESTS) $(COVERAGE_FUZZ) $(COVERAGE)/simulate
	@$(PYTHON) tools/coverage.py --out $(COVERAGE) --seeds $(COVERAGE_SEEDS) --corpus tests/fuzz/corpus \
	  --least $(COVERAGE_LEAST) --list tests/host/uncovered.txt $(foreach l,raft tables seal,--folder lib/$(l)) \
	  $(COVERAGE_TESTS) $(COVERAGE_FUZZ)

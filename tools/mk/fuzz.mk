# Fuzzing: tests/fuzz/fuzz_NAME.c, each a libFuzzer target with ASan and UBSan over the unchanged sources.
#
#   in `make test-host`   FUZZ_RUNS inputs each, from the kept corpus and a fixed seed: the same ones every time
#   make fuzz             FUZZ_SECONDS each [ONLY=PART of a name]; what is new and small goes to build/fuzz/corpus
FUZZ := $(BUILD)/fuzz
FUZZ_RUNS    ?= 3000
FUZZ_RUNS_link := 200   # each makes a session first
FUZZ_RUNS_log  := 1000
FUZZ_SECONDS ?= 600
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SOURCES := $(wildcard lib/raft/src/*.c lib/tables/src/*.c lib/seal/src/*.c lib/link/src/*.c lib/member/src/*.c) \
  $(addprefix lib/base/,crc32c.c logformat.c config.c bundle.c sha256.c format.c) \
  $(addprefix user/servers/logstore/,superblock.c groups.c scan.c) \
  $(addprefix kernel/cluster/,remote_wire.c permissions.c) tests/host/lib/base_assert.c
FUZZ_CFLAGS = -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer $(WARN) \
  -Iabi/include $(foreach l,base wire raft tables seal link member,-Ilib/$(l)/include) -Iuser/servers/logstore -Ikernel/cluster \
  -Ikernel/include -I$(GEN) -I$(FUZZ) -isystem $(THIRD)/bearssl/src/inc
FUZZ_OBJECTS := $(FUZZ_SOURCES:%.c=$(FUZZ)/obj/%.o)
FUZZ_PROGRAMS := $(FUZZ_NAMES:%=$(FUZZ)/fuzz_%)

$(FUZZ)/obj/%.o: %.c tools/mk/fuzz.mk | $(IDL_STAMP) $(BUILD)/host/bearssl.a
	@mkdir -p $(@D)
	@$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@
$(FUZZ)/obj/tests/fuzz/fuzz_codecs.o: $(FUZZ)/codecs.h
$(FUZZ)/codecs.h: $(IDL_STAMP)
	@mkdir -p $(@D)
	@{ for name in $(IDL_NAMES); do echo "#include <idl/$${name}_codec.h>"; done; echo '#define CODECS \'; \
	  sed -n 's/^static inline err_t \([a-z0-9_]*\)_decode(.*/    CODEC(\1) \\/p' $(IDL_NAMES:%=$(GEN)/idl/%_codec.h); \
	  echo; } > $@
$(FUZZ)/libfuzzed.a: $(FUZZ_OBJECTS)
	@rm -f $@; ar rcs $@ $^
$(FUZZ_PROGRAMS): $(FUZZ)/fuzz_%: $(FUZZ)/obj/tests/fuzz/fuzz_%.o $(FUZZ)/libfuzzed.a $(BUILD)/host/bearssl.a
	@$(CLANG) -fsanitize=fuzzer,address,undefined $^ -o $@
-include $(FUZZ_OBJECTS:.o=.d) $(FUZZ_NAMES:%=$(FUZZ)/obj/tests/fuzz/fuzz_%.d)
.SECONDARY: $(FUZZ_NAMES:%=$(FUZZ)/obj/tests/fuzz/fuzz_%.o)

ifeq ($(AREA),)
HOST_TESTS += $(foreach n,$(FUZZ_NAMES),tools/fuzz.sh,$(FUZZ)/fuzz_$(n),runs,$(strip $(or $(FUZZ_RUNS_$(n)),$(FUZZ_RUNS))))
test-host: $(FUZZ_PROGRAMS)
endif
.PHONY: fuzz
fuzz: $(FUZZ_PROGRAMS)
	@failed=; for name in $(if $(ONLY),$(foreach n,$(FUZZ_NAMES),$(if $(findstring $(ONLY),$(n)),$(n))),$(FUZZ_NAMES)); do \
	  echo "fuzz_$$name"; tools/fuzz.sh $(FUZZ)/fuzz_$$name seconds $(FUZZ_SECONDS) || failed=yes; done; [ -z "$$failed" ]

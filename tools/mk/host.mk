# Host tests: lib/ and other pure code, compiled for this machine with ASan and UBSan, and python tests beside them.
#
#   tests/host/AREA/test_NAME.c    one program; exit status 0 means passed; what it prints goes to its log
#   tests/host/AREA/test_NAME.py   run by pytest (at any depth below tests/host); each test function counts
#   tests/host/AREA/rules.mk       what the area's programs are made of:
#       HOST_SRCS_AREA   := lib/x/a.c lib/x/b.c tests/host/AREA/helper.c   linked into every program of the area
#       HOST_FLAGS_AREA  := -Ilib/x/include            after HOST_CFLAGS; -Iabi/include and -Itests/host/include are there
#       HOST_LIBS_AREA   := -lcmocka                   at the end of the link
#       HOST_NEEDS_AREA  := $(GEN)/x.h                 files that must exist before anything of the area is compiled
#       HOST_RUN_NEEDS_AREA := $(BUILD)/shoal.img      files that must exist before the area's tests run
#
# `make test-host` runs all; `make test-host AREA=x` one area. <test/check.h> has CHECK() for programs that want it.
HOST_OUT := $(BUILD)/host
HOST_AREAS := $(sort $(patsubst tests/host/%/,%,$(dir $(wildcard tests/host/*/test_*.c))))
-include $(wildcard tests/host/*/rules.mk)

# $(1) area, $(2) source: its object file, one a (area, source) pair because flags differ by area.
define HOST_OBJECT
$(HOST_OUT)/$(1)/obj/$(2:.c=.o): $(2) $(wildcard tests/host/$(1)/rules.mk) | $$(HOST_NEEDS_$(1))
	@mkdir -p $$(@D)
	@$$(CLANG) $$(HOST_CFLAGS) -Iabi/include -Itests/host/include $$(HOST_FLAGS_$(1)) -MMD -MP -c $$< -o $$@
-include $(HOST_OUT)/$(1)/obj/$(2:.c=.d)
endef

# $(1) area, $(2) test source: its program.
define HOST_PROGRAM
$(call HOST_OBJECT,$(1),$(2))
$(HOST_OUT)/$(1)/$(notdir $(2:.c=)): $(HOST_OUT)/$(1)/obj/$(2:.c=.o) $(patsubst %.c,$(HOST_OUT)/$(1)/obj/%.o,$(HOST_SRCS_$(1)))
	@$$(CLANG) $$(HOST_CFLAGS) $$^ $$(HOST_LIBS_$(1)) -o $$@
HOST_PROGRAMS_$(1) += $(HOST_OUT)/$(1)/$(notdir $(2:.c=))
endef

$(foreach area,$(HOST_AREAS),\
  $(foreach source,$(HOST_SRCS_$(area)),$(eval $(call HOST_OBJECT,$(area),$(source))))\
  $(foreach source,$(wildcard tests/host/$(area)/test_*.c),$(eval $(call HOST_PROGRAM,$(area),$(source)))))

AREA ?=
HOST_RUN_AREAS := $(if $(AREA),$(AREA),$(sort $(HOST_AREAS) $(patsubst tests/host/%/rules.mk,%,$(wildcard tests/host/*/rules.mk))))

HOST_TESTS += $(foreach area,$(HOST_RUN_AREAS),$(HOST_PROGRAMS_$(area))) pytest:tests/host$(if $(AREA),/$(AREA))
test-host: $(foreach area,$(HOST_RUN_AREAS),$(HOST_RUN_NEEDS_$(area)))

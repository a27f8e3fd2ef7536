# Programs and tests that are found by being there (drivers, logstore and net: services_drivers.mk):
#
#   user/bin/NAME.c, user/bin/NAME/*.c         bin/NAME
#   tests/guest/NAME.c, tests/guest/NAME/*.c   bin/NAME
#
# A folder of several files may have a rules.mk that sets, for its NAME:
#   PROGRAM_SRCS_NAME    more sources
#   PROGRAM_FLAGS_NAME   more flags: -I of what it may see beyond abi, lib/base, libos and libc
#   PROGRAM_LIBS_NAME    more archives (with a rule of their own)
#   PROGRAM_NEEDS_NAME   files that must exist before anything of it is compiled
-include $(wildcard user/bin/*/rules.mk tests/guest/*/rules.mk)

folders_with_c = $(sort $(patsubst $(1)/%/,%,$(dir $(wildcard $(1)/*/*.c))))

# $(1) name, $(2) sources, $(3) flags, $(4) archives.
define FOUND_PROGRAM
$(call C_PROGRAM,bin/$(1),$(2) $(PROGRAM_SRCS_$(1)),$(3) $(PROGRAM_FLAGS_$(1)),$(4) $(PROGRAM_LIBS_$(1)))
$(patsubst %.c,$(USER)/programs/bin/$(1).dir/%.o,$(2) $(PROGRAM_SRCS_$(1))): | $(PROGRAM_NEEDS_$(1))
endef

CLI := -Iuser/lib/cli/include -Iuser/sdk/include
$(foreach file,$(wildcard user/bin/*.c),\
  $(eval $(call FOUND_PROGRAM,$(basename $(notdir $(file))),$(file),$(CLI),$(USER)/libcli.a $(USER)/libcluster.a)))
$(foreach name,$(call folders_with_c,user/bin),\
  $(eval $(call FOUND_PROGRAM,$(name),$(wildcard user/bin/$(name)/*.c),-Iuser/bin/$(name) $(CLI),$(USER)/libcli.a $(USER)/libcluster.a)))
$(foreach file,$(wildcard tests/guest/*.c),$(eval $(call FOUND_PROGRAM,$(basename $(notdir $(file))),$(file),-Iuser/sdk/include,$(USER)/libcluster.a)))
$(foreach name,$(call folders_with_c,tests/guest),\
  $(eval $(call FOUND_PROGRAM,$(name),$(wildcard tests/guest/$(name)/*.c),-Itests/guest/$(name) -Iuser/sdk/include,$(USER)/libcluster.a)))
GUEST_TESTS += run:test_libc

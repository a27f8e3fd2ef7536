# User space: lib/ as programs link it, libos, libc, and every program, server and driver.
#
#   user/bin/NAME.c, user/bin/NAME/*.c     program NAME
#   user/servers/NAME/*.c                  server NAME, its manifest NAME.svc
#   drivers/NAME/*.c                       driver NAME, its manifest NAME.svc
#   net/*/*.c                              the network server, program "net", manifest net/net.svc
#   user/lib/NAME/*.c                      a library for programs in user/bin, headers in user/lib/NAME/include
#   tests/guest/NAME.c, tests/guest/NAME/  programs that test from inside; bundled as bin/NAME
#
# All land in build/root/bin, manifests in build/root/svc; unstripped copies stay in build/user/elf. A folder may have a
# rules.mk that sets, for its NAME:
#   USER_FLAGS_NAME   more compiler flags (-I of what it may see beyond abi, lib/base, libos, libc)
#   USER_SRCS_NAME    more sources (paths from the top, or under $(THIRD))
#   USER_LIBS_NAME    libraries of lib/: "seal link" compiles lib/seal and lib/link and adds their include folders
#   USER_NEEDS_NAME   files that must exist before anything of it is compiled
#   USER_WARN_NAME    warning flags in the place of the usual ones (for sources that are not ours)
USER := $(BUILD)/user
NEWLIB := $(BUILD)/newlib
NEWLIB_STAMP := $(BUILD)/newlib.stamp

$(NEWLIB_STAMP): tools/third_party/newlib.sh tools/third_party/fetch.sh $(shell find user/libc/newlib -name '*.h')
	@mkdir -p $(BUILD)
	@tools/third_party/newlib.sh $@

# What each component may see.
USER_INCLUDE_BASE := -Iabi/include -Ilib/base/include
USER_INCLUDE_OS := $(USER_INCLUDE_BASE) -Iuser/libos/include -I$(GEN)
USER_INCLUDE_C := -isystem user/libc/newlib -isystem user/libc/include -isystem $(NEWLIB)/include
USER_COMPILE = $(CLANG) $(USER_CFLAGS) $(WARN) $(USER_WARN) $(USER_INCLUDE) -MMD -MP -c $< -o $@
USER_LINK_FLAGS := -static -nostdlib -z max-page-size=4096 -z noexecstack --gc-sections --build-id=none -T user/libc/program.ld

# $(1) sources -> their objects. Generated ones are under gen/, others' under third/.
user_objs = $(patsubst $(GEN)/%,$(USER)/obj/gen/%,$(patsubst $(THIRD)/%,$(USER)/obj/third/%,\
  $(patsubst abi/%,$(USER)/obj/abi/%,$(patsubst lib/%,$(USER)/obj/lib/%,$(patsubst user/%,$(USER)/obj/user/%,\
  $(patsubst drivers/%,$(USER)/obj/drivers/%,$(patsubst net/%,$(USER)/obj/net/%,$(patsubst tests/%,$(USER)/obj/tests/%,\
  $(addsuffix .o,$(basename $(1)))))))))))

$(USER)/obj/gen/%.o: $(GEN)/%.c
	@mkdir -p $(@D)
	@$(USER_COMPILE)
$(USER)/obj/third/%.o: $(THIRD)/%.c
	@mkdir -p $(@D)
	@$(USER_COMPILE)
$(USER)/obj/%.o: %.c
	@mkdir -p $(@D)
	@$(USER_COMPILE)
$(USER)/obj/%.o: %.S
	@mkdir -p $(@D)
	@$(USER_COMPILE)

# $(1) archive, $(2) sources, $(3) include flags, $(4) what must exist first.
define USER_ARCHIVE
$(call user_objs,$(2)): USER_INCLUDE := $(3)
$(call user_objs,$(2)): | $(4)
$(USER)/$(1): $(call user_objs,$(2))
	@rm -f $$@
	@llvm-ar rcs $$@ $$^
-include $(patsubst %.o,%.d,$(call user_objs,$(2)))
endef

# lib/X for programs, each with abi, lib/base and its own headers.
USER_LIB_NAMES := $(filter-out base,$(patsubst lib/%/,%,$(dir $(wildcard lib/*/*.c))))
USER_LIB_NAMES := $(sort $(USER_LIB_NAMES))
$(eval $(call USER_ARCHIVE,libbase.a,$(wildcard lib/base/*.c),$(USER_INCLUDE_BASE),))
$(eval $(call USER_ARCHIVE,libos.a,$(wildcard user/libos/*.c user/libos/*.S) $(IDL_SOURCES),$(USER_INCLUDE_OS),$(IDL_STAMP)))
$(eval $(call USER_ARCHIVE,libshoal.a,$(wildcard user/libc/*.c),$(USER_INCLUDE_C) $(USER_INCLUDE_OS),$(IDL_STAMP) $(NEWLIB_STAMP)))
$(foreach name,$(USER_LIB_NAMES),$(eval $(call USER_ARCHIVE,lib$(name).a,$(wildcard lib/$(name)/*.c),\
  $(USER_INCLUDE_BASE) $(foreach other,$(USER_LIB_NAMES),-Ilib/$(other)/include),)))

USER_CLI_NAMES := $(sort $(patsubst user/lib/%/,%,$(dir $(wildcard user/lib/*/*.c))))
USER_CLI_INCLUDE := $(foreach name,$(USER_CLI_NAMES),-Iuser/lib/$(name)/include)
$(eval $(call USER_ARCHIVE,libcli.a,$(wildcard user/lib/*/*.c),$(USER_INCLUDE_C) $(USER_INCLUDE_OS) $(USER_CLI_INCLUDE),\
  $(IDL_STAMP) $(NEWLIB_STAMP)))
$(eval $(call USER_ARCHIVE,libdrivers.a,$(wildcard drivers/lib/*.c),\
  $(USER_INCLUDE_C) $(USER_INCLUDE_OS) -Idrivers/lib/include,$(IDL_STAMP) $(NEWLIB_STAMP)))

USER_CORE := $(USER)/libshoal.a $(USER)/libos.a $(USER)/libbase.a
USER_NEWLIB := $(NEWLIB)/lib/libposix.a $(NEWLIB)/lib/libc.a $(NEWLIB)/lib/libm.a
USER_BUILTINS = $(shell gcc -print-libgcc-file-name)

USER_PROGRAMS :=
# $(1) name, $(2) its own sources, $(3) include flags of its kind, $(4) archives of its kind.
define USER_PROGRAM
USER_PROGRAMS += $(1)
USER_OBJS_$(1) := $(call user_objs,$(2) $(USER_SRCS_$(1)))
$$(USER_OBJS_$(1)): USER_INCLUDE := $$(USER_FLAGS_$(1)) $(3) $(foreach lib,$(USER_LIBS_$(1)),-Ilib/$(lib)/include)
$$(USER_OBJS_$(1)): USER_WARN := $$(USER_WARN_$(1))
$$(USER_OBJS_$(1)): | $(IDL_STAMP) $(NEWLIB_STAMP) $$(USER_NEEDS_$(1))
$(USER)/elf/$(1).elf: $$(USER_OBJS_$(1)) $(4) $(foreach lib,$(USER_LIBS_$(1)),$(USER)/lib$(lib).a) $(USER_CORE) user/libc/program.ld | $(NEWLIB_STAMP)
	@mkdir -p $$(@D)
	@$(LLD) $(USER_LINK_FLAGS) -o $$@ $$(filter %.o,$$^) --start-group $$(filter %.a,$$^) $(USER_NEWLIB) --end-group $$(USER_BUILTINS)
$(BUILD)/root/bin/$(1): $(USER)/elf/$(1).elf
	@mkdir -p $$(@D)
	@llvm-objcopy --strip-all $$< $$@
	@chmod 755 $$@
ROOT_FILES += $(BUILD)/root/bin/$(1)
-include $$(USER_OBJS_$(1):.o=.d)
endef

# $(1) manifest file.
define USER_MANIFEST
$(BUILD)/root/svc/$(basename $(notdir $(1))): $(1)
	@mkdir -p $$(@D)
	@install -m 644 $$< $$@
ROOT_FILES += $(BUILD)/root/svc/$(basename $(notdir $(1)))
endef

-include $(wildcard user/bin/*/rules.mk user/servers/*/rules.mk drivers/*/rules.mk net/rules.mk tests/guest/*/rules.mk)

USER_SEES := $(USER_INCLUDE_C) $(USER_INCLUDE_OS)
user_folders = $(sort $(patsubst $(1)/%/,%,$(dir $(wildcard $(1)/*/*.c))))
$(foreach file,$(wildcard user/bin/*.c),\
  $(eval $(call USER_PROGRAM,$(basename $(notdir $(file))),$(file),$(USER_CLI_INCLUDE) $(USER_SEES),$(USER)/libcli.a)))
$(foreach name,$(call user_folders,user/bin),\
  $(eval $(call USER_PROGRAM,$(name),$(wildcard user/bin/$(name)/*.c),$(USER_CLI_INCLUDE) $(USER_SEES),$(USER)/libcli.a)))
$(foreach name,$(call user_folders,user/servers),\
  $(eval $(call USER_PROGRAM,$(name),$(wildcard user/servers/$(name)/*.c),$(USER_SEES),)))
$(foreach name,$(filter-out lib,$(call user_folders,drivers)),\
  $(eval $(call USER_PROGRAM,$(name),$(wildcard drivers/$(name)/*.c),-Idrivers/lib/include $(USER_SEES),$(USER)/libdrivers.a)))
$(if $(wildcard net/*/*.c),\
  $(eval $(call USER_PROGRAM,net,$(wildcard net/*/*.c),$(USER_SEES),)))
$(foreach file,$(wildcard tests/guest/*.c),\
  $(eval $(call USER_PROGRAM,$(basename $(notdir $(file))),$(file),$(USER_SEES),)))
$(foreach name,$(call user_folders,tests/guest),\
  $(eval $(call USER_PROGRAM,$(name),$(wildcard tests/guest/$(name)/*.c),$(USER_SEES),)))
$(foreach file,$(wildcard user/servers/*/*.svc drivers/*/*.svc net/*.svc),$(eval $(call USER_MANIFEST,$(file))))

build: $(USER_CORE) $(foreach name,$(USER_PROGRAMS),$(BUILD)/root/bin/$(name))

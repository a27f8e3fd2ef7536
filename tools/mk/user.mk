# Libraries of user space: lib/ as programs link it, libos with the generated stubs, newlib, and libc's system layer.
NEWLIB := $(BUILD)/newlib
NEWLIB_STAMP := $(BUILD)/newlib.stamp
NEWLIB_LIBS := $(NEWLIB)/lib/libposix.a $(NEWLIB)/lib/libc.a $(NEWLIB)/lib/libm.a

$(NEWLIB_STAMP): tools/third_party/newlib.sh tools/third_party/fetch.sh $(shell find user/libc/newlib -name '*.h')
	@mkdir -p $(BUILD)
	@tools/third_party/newlib.sh $@
$(NEWLIB_LIBS): $(NEWLIB_STAMP) ;

# What each component may see.
USER_INCLUDE_BASE := -Iabi/include -Ilib/base/include
USER_INCLUDE_OS := $(USER_INCLUDE_BASE) -Iuser/libos/include -I$(GEN)
USER_INCLUDE_C := -isystem user/libc/newlib -isystem user/libc/include -isystem $(NEWLIB)/include
USER_COMPILE = $(CLANG) $(USER_CFLAGS) $(WARN) $(USER_INCLUDE) -MMD -MP -c $< -o $@

$(USER)/obj/gen/%.o: $(GEN)/%.c
	@mkdir -p $(@D)
	@$(USER_COMPILE)
$(USER)/obj/%.o: %.c
	@mkdir -p $(@D)
	@$(USER_COMPILE)
$(USER)/obj/%.o: %.S
	@mkdir -p $(@D)
	@$(USER_COMPILE)

# $(1) sources -> their objects.
user_objs = $(patsubst $(USER)/obj/$(GEN)/%,$(USER)/obj/gen/%,$(patsubst %,$(USER)/obj/%.o,$(basename $(1))))

# $(1) archive below $(USER), $(2) sources, $(3) include flags, $(4) what must exist first.
define USER_ARCHIVE
$(call user_objs,$(2)): USER_INCLUDE := $(3)
$(call user_objs,$(2)): | $(4)
$(USER)/$(1): $(call user_objs,$(2))
	@mkdir -p $$(@D)
	@rm -f $$@
	@llvm-ar rcs $$@ $$^
-include $(patsubst %.o,%.d,$(call user_objs,$(2)))
endef

$(eval $(call USER_ARCHIVE,libbase.a,$(wildcard lib/base/*.c),$(USER_INCLUDE_BASE),))
$(eval $(call USER_ARCHIVE,libos.a,$(wildcard user/libos/*.c user/libos/*.S) $(IDL_SOURCES),$(USER_INCLUDE_OS),$(IDL_STAMP)))
$(eval $(call USER_ARCHIVE,libshoal.a,$(wildcard user/libc/*.c user/libc/*.S),$(USER_INCLUDE_C) $(USER_INCLUDE_OS),$(IDL_STAMP) $(NEWLIB_STAMP)))
$(eval $(call USER_ARCHIVE,libcli.a,$(wildcard user/lib/cli/*.c),-Iuser/lib/cli/include $(USER_INCLUDE_C) $(USER_INCLUDE_OS),$(IDL_STAMP) $(NEWLIB_STAMP)))
$(eval $(call USER_ARCHIVE,libdrivers.a,$(wildcard drivers/lib/*.c),-Idrivers/lib/include $(USER_INCLUDE_C) $(USER_INCLUDE_OS),$(IDL_STAMP) $(NEWLIB_STAMP)))

build: $(USER)/libbase.a $(USER)/libos.a $(USER)/libshoal.a

# Programs, servers and drivers: $(call PROGRAM,NAME,SOURCES,INCLUDE FLAGS,LIBRARIES) makes build/user/NAME (with symbols) and
# puts it, without them, into the bundle as NAME, e.g. bin/wc. Libraries come before libos and libbase in the link.
#
# $(call PLAIN_PROGRAM,NAME,SOURCES,INCLUDE FLAGS) is for those that go without the C library: they get libos, lib/base, and
# the string functions of user/lib/plain, and begin at os_main.
PROGRAM_LD := user/libos/program.ld
PROGRAM_LDFLAGS := -static -nostdlib --gc-sections -z max-page-size=4096 -z noexecstack --build-id=none -T $(PROGRAM_LD)

PLAIN_OBJS := $(patsubst %.c,$(USER)/obj/%.o,$(wildcard user/lib/plain/*.c))
$(PLAIN_OBJS): USER_INCLUDE := -Iuser/lib/plain/include -fno-builtin
$(USER)/libplain.a: $(PLAIN_OBJS)
	@rm -f $@
	@llvm-ar rcs $@ $^
-include $(PLAIN_OBJS:.o=.d)

# The same source can be in several programs with different flags: objects lie below the program's own folder.
define PROGRAM_OBJECT
$(USER)/programs/$(1).dir/$(2:.c=.o): $(2) | $$(IDL_STAMP)
	@mkdir -p $$(@D)
	@$$(CLANG) $$(USER_CFLAGS) $$(WARN) $$(USER_INCLUDE_OS) $(3) -MMD -MP -c $$< -o $$@
-include $(USER)/programs/$(1).dir/$(2:.c=.d)
endef

define PROGRAM
$(foreach source,$(2),$(eval $(call PROGRAM_OBJECT,$(1),$(source),$(3))))
$(USER)/programs/$(1): $(2:%.c=$(USER)/programs/$(1).dir/%.o) $(4) $(USER)/libos.a $(USER)/libbase.a $(PROGRAM_LD)
	@$$(LLD) $$(PROGRAM_LDFLAGS) $$(filter %.o,$$^) --start-group $$(filter %.a,$$^) --end-group -o $$@
$(BUILD)/root/$(1): $(USER)/programs/$(1)
	@mkdir -p $$(@D)
	@llvm-objcopy --strip-all $$< $$@
	@chmod 755 $$@
$(BUILD)/root/sym/$(1): $(USER)/programs/$(1) tools/symtab.py
	@mkdir -p $$(@D)
	@$$(PYTHON) tools/symtab.py make $$< $$@
ROOT_FILES += $(BUILD)/root/$(1) $(BUILD)/root/sym/$(1)
build: $(BUILD)/root/$(1) $(BUILD)/root/sym/$(1)
endef

PLAIN_PROGRAM = $(call PROGRAM,$(1),$(2),-Iuser/lib/plain/include $(3),$(USER)/libplain.a)

# $(call C_PROGRAM,NAME,SOURCES,INCLUDE FLAGS,LIBRARIES): a program with the C library; begins at main. Sources of others
# come with -w among the flags.
LIBGCC := $(shell gcc -print-libgcc-file-name 2>/dev/null)
define C_PROGRAM
$(call PROGRAM,$(1),$(2),$(3) $(USER_INCLUDE_C),$(4) $(USER)/libshoal.a $(NEWLIB_LIBS) $(LIBGCC))
$(2:%.c=$(USER)/programs/$(1).dir/%.o): | $(NEWLIB_STAMP)
endef

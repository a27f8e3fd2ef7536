# Libraries of user space: lib/base as programs link it, and libos with the generated stubs.
USER_INCLUDE_BASE := -Iabi/include -Ilib/base/include
USER_INCLUDE_OS := $(USER_INCLUDE_BASE) -Iuser/libos/include -I$(GEN)

USER_BASE_OBJS := $(patsubst %.c,$(USER)/obj/%.o,$(wildcard lib/base/*.c))
USER_OS_OBJS := $(patsubst %.c,$(USER)/obj/%.o,$(wildcard user/libos/*.c)) \
  $(patsubst %.S,$(USER)/obj/%.o,$(wildcard user/libos/*.S)) \
  $(patsubst $(GEN)/%.c,$(USER)/obj/gen/%.o,$(IDL_SOURCES))

$(USER_BASE_OBJS): USER_INCLUDE := $(USER_INCLUDE_BASE)
$(USER_OS_OBJS): USER_INCLUDE := $(USER_INCLUDE_OS)
$(USER_OS_OBJS): | $(IDL_STAMP)

$(USER)/obj/gen/%.o: $(GEN)/%.c
	@mkdir -p $(@D)
	@$(CLANG) $(USER_CFLAGS) $(WARN) $(USER_INCLUDE) -MMD -MP -c $< -o $@
$(USER)/obj/%.o: %.c
	@mkdir -p $(@D)
	@$(CLANG) $(USER_CFLAGS) $(WARN) $(USER_INCLUDE) -MMD -MP -c $< -o $@
$(USER)/obj/%.o: %.S
	@mkdir -p $(@D)
	@$(CLANG) $(USER_CFLAGS) $(USER_INCLUDE) -MMD -MP -c $< -o $@
-include $(USER_BASE_OBJS:.o=.d) $(USER_OS_OBJS:.o=.d)

$(USER)/lib%.a:
	@rm -f $@
	@llvm-ar rcs $@ $^
$(USER)/libbase.a: $(USER_BASE_OBJS)
$(USER)/libos.a: $(USER_OS_OBJS)

build: $(USER)/libbase.a $(USER)/libos.a

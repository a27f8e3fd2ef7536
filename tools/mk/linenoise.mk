# Line editing for the shell: linenoise, as the distribution's jimtcl carries it, compiled as it is. Its configuration header,
# which jimtcl's configure would write, has nothing to say here.
LINENOISE := $(THIRD)/linenoise/src
LINENOISE_OBJS := $(USER)/linenoise/linenoise.o $(USER)/linenoise/utf8.o

$(LINENOISE_OBJS): $(USER)/linenoise/%.o: $(THIRD)/linenoise/src.stamp | $(IDL_STAMP) $(NEWLIB_STAMP)
	@mkdir -p $(@D)
	@touch $(@D)/jim-config.h
	@$(CLANG) $(USER_CFLAGS) -w $(USER_INCLUDE_C) -I$(@D) -c $(LINENOISE)/$*.c -o $@
$(USER)/liblinenoise.a: $(LINENOISE_OBJS)
	@rm -f $@
	@llvm-ar rcs $@ $^

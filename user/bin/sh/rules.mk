PROGRAM_FLAGS_sh := -isystem $(THIRD)/linenoise/src
PROGRAM_LIBS_sh := $(USER)/liblinenoise.a
PROGRAM_NEEDS_sh := $(THIRD)/linenoise/src.stamp

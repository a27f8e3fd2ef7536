MSGGEN_OUT := $(BUILD)/host/msggen/gen
$(MSGGEN_OUT)/idl/sample_codec.h: tools/msggen.py tests/host/msggen/sample.msg
	@$(PYTHON) tools/msggen.py -o $(MSGGEN_OUT) --errors abi/errno.def tests/host/msggen/sample.msg
	@touch $@
HOST_FLAGS_msggen := -Ilib/base/include -I$(MSGGEN_OUT)
HOST_NEEDS_msggen := $(MSGGEN_OUT)/idl/sample_codec.h

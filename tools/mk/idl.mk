# Messages: abi/idl/*.msg -> $(GEN)/idl. Whatever includes <idl/...> or <os/...> needs $(IDL_STAMP) first (order-only is
# enough: the dependency files know the rest).
IDL_MSGS := $(wildcard abi/idl/*.msg)
IDL_NAMES := $(patsubst abi/idl/%.msg,%,$(IDL_MSGS))
IDL_STAMP := $(GEN)/idl/.stamp

$(IDL_STAMP): tools/msggen.py abi/errno.def $(IDL_MSGS)
	@$(PYTHON) tools/msggen.py -o $(GEN) --errors abi/errno.def $(IDL_MSGS)
	@touch $@

IDL_SOURCES := $(foreach name,$(IDL_NAMES),$(GEN)/idl/$(name)_client.c $(GEN)/idl/$(name)_server.c)
$(IDL_SOURCES): $(IDL_STAMP) ;

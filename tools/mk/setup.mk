# What the machine must have before anything is built. Runs again only when the list of packages changes.
.PHONY: setup
setup: $(BUILD)/setup.done
$(BUILD)/setup.done: tools/setup.sh
	@mkdir -p $(BUILD)
	@tools/setup.sh $@
# `make build` needs it before the first of its own files, also with -j: a part of the makefile is made before all else.
ifneq ($(filter build sdk,$(MAKECMDGOALS)),)
include $(BUILD)/setup.done
endif

# What the machine must have before anything is built. Runs again only when the list of packages changes.
.PHONY: setup
setup: $(BUILD)/setup.done
$(BUILD)/setup.done: tools/setup.sh
	@mkdir -p $(BUILD)
	@tools/setup.sh $@

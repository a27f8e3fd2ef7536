HOST_RUN_NEEDS_history := $(BUILD)/host/linear

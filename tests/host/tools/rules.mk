HOST_RUN_NEEDS_tools := $(BUILD)/host/raftd-host $(BUILD)/host/linear $(BUILD)/sim/simulate

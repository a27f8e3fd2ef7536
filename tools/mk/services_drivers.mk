# Drivers: each folder of drivers/ but lib is one process on the driver library, with its manifest beside it.
DRIVERS := serial virtio_blk virtio_net
DRIVER_LIB := $(wildcard drivers/lib/*.c)

# $(1) name, $(2) folder: its manifest in the bundle.
define SERVICE_MANIFEST
$(BUILD)/root/svc/$(1): $(2)/$(1).svc
	@mkdir -p $$(@D)
	@cp $$< $$@
ROOT_FILES += $(BUILD)/root/svc/$(1)
endef

$(foreach driver,$(DRIVERS),\
  $(eval $(call PLAIN_PROGRAM,bin/$(driver),$(wildcard drivers/$(driver)/*.c) $(DRIVER_LIB),-Idrivers/lib/include))\
  $(eval $(call SERVICE_MANIFEST,$(driver),drivers/$(driver))))

$(eval $(call PLAIN_PROGRAM,bin/logstore,$(wildcard user/servers/logstore/*.c),))
$(eval $(call SERVICE_MANIFEST,logstore,user/servers/logstore))

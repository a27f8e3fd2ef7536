# Drivers: each folder of drivers/ but lib is one process on the driver library, with its manifest beside it.
DRIVERS := serial virtio_blk virtio_net example
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

# The network server: lwIP from the distribution's source with the port, and our own two parts.
LWIP := $(THIRD)/lwip/src
LWIP_CORE := altcp altcp_alloc altcp_tcp def dns inet_chksum init ip mem memp netif pbuf raw stats sys tcp tcp_in tcp_out \
  timeouts udp ipv4/dhcp ipv4/etharp ipv4/icmp ipv4/ip4 ipv4/ip4_addr ipv4/ip4_frag
LWIP_SOURCES := $(LWIP_CORE:%=$(LWIP)/src/core/%.c) $(LWIP)/src/netif/ethernet.c
LWIP_INCLUDE := -isystem net/port/include -isystem $(LWIP)/src/include
LWIP_OBJS := $(LWIP_SOURCES:$(LWIP)/%.c=$(USER)/lwip/%.o)

$(LWIP_SOURCES): $(LWIP).stamp ;
$(LWIP_OBJS): $(USER)/lwip/%.o: $(LWIP)/%.c $(LWIP).stamp net/port/include/lwipopts.h
	@mkdir -p $(@D)
	@$(CLANG) $(USER_CFLAGS) $(LWIP_INCLUDE) -Iuser/lib/plain/include -MMD -MP -c $< -o $@
-include $(LWIP_OBJS:.o=.d)
$(USER)/liblwip.a: $(LWIP_OBJS)
	@rm -f $@
	@llvm-ar rcs $@ $^

NET_SOURCES := $(wildcard net/server/*.c net/peer/*.c net/port/*.c)
$(NET_SOURCES:%.c=$(USER)/programs/bin/net.dir/%.o): | $(LWIP).stamp
$(eval $(call PROGRAM,bin/net,$(NET_SOURCES),$(LWIP_INCLUDE) -Iuser/lib/plain/include,$(USER)/liblwip.a $(USER)/libplain.a))
$(eval $(call SERVICE_MANIFEST,net,net/server))

# For tests/system/test_hostile.py: the same server with a hostile part in net/peer's place. It is in no bundle but the
# test's.
HOSTILE := $(USER)/programs/test/hostile_net
HOSTILE_SOURCES := $(wildcard net/server/*.c net/port/*.c tests/system/hostile/*.c)
$(HOSTILE_SOURCES:%.c=$(HOSTILE).dir/%.o): | $(LWIP).stamp
$(foreach source,$(HOSTILE_SOURCES),\
  $(eval $(call PROGRAM_OBJECT,test/hostile_net,$(source),$(LWIP_INCLUDE) -Iuser/lib/plain/include)))
$(HOSTILE): $(HOSTILE_SOURCES:%.c=$(HOSTILE).dir/%.o) $(USER)/liblwip.a $(USER)/libplain.a $(USER)/libos.a $(USER)/libbase.a $(PROGRAM_LD)
	@$(LLD) $(PROGRAM_LDFLAGS) --strip-debug $(filter %.o,$^) --start-group $(filter %.a,$^) --end-group -o $@
$(BUILD)/hostile_net: $(HOSTILE)
	@llvm-objcopy --strip-all $< $@
build: $(BUILD)/hostile_net

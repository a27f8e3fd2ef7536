# build/kernel.elf: kernel/ and the pure code of lib/ that it uses. It links without kernel/cluster as well (CLUSTER=no).
#
# Linked twice: tools/symtab.py makes the table of function names from the first link, the second puts it behind
# everything else, and symtab.py checks that no function moved.
KERNEL_OUT := $(BUILD)/kernel
KERNEL_LIBS ?= base wire seal link raft tables
KERNEL_SRCS := $(sort $(shell find kernel -name '*.c' -o -name '*.S') $(wildcard $(foreach l,$(KERNEL_LIBS),lib/$(l)/*.c lib/$(l)/src/*.c)))
ifeq ($(CLUSTER),no)
KERNEL_SRCS := $(filter-out kernel/cluster/%,$(KERNEL_SRCS))
endif
KERNEL_OBJS := $(patsubst %,$(KERNEL_OUT)/%.o,$(basename $(KERNEL_SRCS))) $(call bearssl_objs,$(KERNEL_OUT)/bearssl)
KERNEL_INCLUDES = -isystem lib/base/freestanding -isystem $(THIRD)/bearssl/src/inc -I$(GEN) -Ikernel/include -Iabi/include $(foreach l,$(KERNEL_LIBS),-Ilib/$(l)/include) $(KERNEL_INCLUDES_EXTRA)

$(eval $(call BEARSSL_RULES,$(KERNEL_OUT)/bearssl,$$(KERNEL_CFLAGS) -isystem lib/base/freestanding))

$(KERNEL_OUT)/%.o: %.c | $(IDL_STAMP) $(THIRD)/bearssl/src.stamp
	@mkdir -p $(@D)
	@$(CLANG) $(KERNEL_CFLAGS) $(KERNEL_INCLUDES) -MMD -MP -c $< -o $@

$(KERNEL_OUT)/%.o: %.S
	@mkdir -p $(@D)
	@$(CLANG) $(KERNEL_CFLAGS) $(KERNEL_INCLUDES) -MMD -MP -c $< -o $@

KERNEL_LINK = $(LLD) -static -nostdlib -z max-page-size=4096 -z noexecstack --build-id=none --gc-sections -T linker.ld

# The list of objects is an input too: a file that vanished must vanish from the kernel.
$(KERNEL_OUT)/objects.list: kernel-objects-list
	@mkdir -p $(@D)
	@printf '%s\n' $(KERNEL_OBJS) >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@
.PHONY: kernel-objects-list

$(BUILD)/kernel.elf: linker.ld tools/symtab.py $(KERNEL_OBJS) $(KERNEL_OUT)/objects.list
	@$(KERNEL_LINK) -o $(KERNEL_OUT)/first.elf $(KERNEL_OBJS)
	@$(PYTHON) tools/symtab.py make $(KERNEL_OUT)/first.elf $(KERNEL_OUT)/symbols.bin
	@printf '.section .symbols, "a", @progbits\n.incbin "$(KERNEL_OUT)/symbols.bin"\n' >$(KERNEL_OUT)/symbols.S
	@$(CLANG) $(KERNEL_CFLAGS) -c $(KERNEL_OUT)/symbols.S -o $(KERNEL_OUT)/symbols.o
	@$(KERNEL_LINK) -o $@ $(KERNEL_OBJS) $(KERNEL_OUT)/symbols.o
	@$(PYTHON) tools/symtab.py check $(KERNEL_OUT)/first.elf $@

-include $(KERNEL_OBJS:.o=.d)

.PHONY: kernel
kernel: $(BUILD)/kernel.elf
build: kernel

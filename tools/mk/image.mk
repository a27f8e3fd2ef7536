# The boot bundle build/shoal.img: the kernel, and all that the parts put under build/root.
#
# A part that puts a file into the bundle copies it to build/root/PATH and says so:
#     ROOT_FILES += $(BUILD)/root/bin/wc
# with a rule that makes the file. Programs need the execute permission (install -m 755).
# ADD='FILE...' puts programs that were built elsewhere (`make sdk`) into the bundle, as bin/NAME: make run ADD=../hello
# Symbol tables for backtraces go to build/root/sym/PATH.
.SECONDEXPANSION:

IMAGE := $(BUILD)/shoal.img
KERNEL_ELF := $(BUILD)/kernel.elf
ROOT_FILES ?=
ADD ?=

# The bundle's kernel goes without debug information: every door reads and hashes all of it.
KERNEL_PLAIN := $(BUILD)/kernel/plain.elf
$(KERNEL_PLAIN): $(KERNEL_ELF)
	@llvm-objcopy --strip-all $< $@

$(IMAGE): tools/mkimage.py $(KERNEL_PLAIN) $$(ROOT_FILES) $(BUILD)/root.list $(ADD)
	@mkdir -p $(BUILD)/root
	@$(PYTHON) tools/mkimage.py -o $@ --kernel $(KERNEL_PLAIN) --root $(BUILD)/root \
	  $(foreach file,$(ADD),--file bin/$(notdir $(file))=$(file))

# Changes when files appear in, or vanish from, the list of parts; then what no part names any more is removed.
.PHONY: image-list
$(BUILD)/root.list: image-list
	@mkdir -p $(BUILD)/root
	@printf '%s\n' $(sort $(ROOT_FILES) $(ADD)) >$@.new
	@cmp -s $@.new $@ && rm $@.new || { mv $@.new $@; \
	  find $(BUILD)/root -type f | sort | comm -23 - <(sort $@) | xargs -r rm --; }

.PHONY: image
image: $(IMAGE)
build: $(if $(wildcard linker.ld),image)

# Starting Shoal: make run, make debug, make pxe-serve.
#
#     make run                       three nodes through UEFI, then the shell of node 1; leaving it ends the nodes
#     make run N=5 BOOT=pvh MEM=256 SMP=2
#     make run script.txt            (or SCRIPT=script.txt, or <script.txt) runs its commands in node 1's shell
# make itself can only say that a script's last command failed; `tools/cluster run ... script.txt` exits with its status.
N    ?= 3
BOOT ?= uefi
MEM  ?= 128
SMP  ?= 1
SCRIPT ?=
IFACE ?=

# `make run FILE`: the second goal is no goal but a file of commands.
ifeq ($(firstword $(MAKECMDGOALS)),run)
RUN_FILES := $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS))
ifneq ($(RUN_FILES),)
SCRIPT := $(firstword $(RUN_FILES))
.PHONY: $(RUN_FILES)
$(RUN_FILES): ;@:
endif
endif

.PHONY: run debug pxe-serve
run: setup
	@tools/build.sh $(MAKE)
	@tools/cluster run -n $(N) --boot $(BOOT) --mem $(MEM) --smp $(SMP) $(SCRIPT)

# PROG=sh adds that program's symbols; more at the gdb prompt with `program NAME`. GDB_ARGS go to gdb.
PROG ?=
GDB_ARGS ?=
debug: setup
	@tools/build.sh $(MAKE)
	@$(PYTHON) tools/debug.py --mem $(MEM) --smp $(SMP) $(if $(PROG),--program $(PROG)) -- $(GDB_ARGS)

# Serves the boot files to real machines over PXE, on the network behind IFACE. Needs root for DHCP's and TFTP's ports.
pxe-serve: setup
	@tools/build.sh $(MAKE)
	@tools/pxe_serve.sh "$(IFACE)" $(BUILD)

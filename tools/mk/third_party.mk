# Sources of others: $(THIRD)/NAME/src, unpacked from the distribution's source packages. Depend on $(THIRD)/NAME/src.stamp.
$(THIRD)/%/src.stamp: tools/third_party/fetch.sh
	@tools/third_party/fetch.sh $*
	@touch -c $@
.PRECIOUS: $(THIRD)/%/src.stamp

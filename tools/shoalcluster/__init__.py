"""Clusters of Shoal machines in QEMU, without root: switch, disks, power, consoles. See tools/cluster and docs/howto."""

"""The QEMU command of a machine, and the probe that decides whether KVM can be believed."""
import os
import select
import struct
import subprocess
import tempfile
import time
import uuid

from .paths import ClusterError, build_folder

QEMU = "qemu-system-x86_64"
DEBUG_EXIT = ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
FIRMWARE = [("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
            ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd")]
PROBE_LIMIT_S = 10.0
PROBE_EXIT = 0x2a


def mac_of(node):
    return f"52:54:00:53:48:{node:02x}"


def address_of(node):
    return f"10.0.0.{node}"


def uuid_of(cluster_uuid, node):
    return str(uuid.uuid5(uuid.UUID(cluster_uuid), f"node {node}"))


def firmware():
    for code, variables in FIRMWARE:
        if os.path.exists(code) and os.path.exists(variables):
            return code, variables
    raise ClusterError("no UEFI firmware here: install the package ovmf, or boot with --boot pvh")


def firmware_arguments(own_variables=None):
    """own_variables: a file in which this machine's variables stay; otherwise it has new ones at each power-on."""
    code, variables = firmware()
    return ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
            "-drive", f"if=pflash,format=raw,unit=1,file={own_variables}" if own_variables else
            f"if=pflash,format=raw,unit=1,snapshot=on,file={variables}"]


def door_arguments(spec):
    """How the machine gets at the kernel."""
    build = spec["build"]
    if spec["boot"] == "pvh":
        return ["-kernel", f"{build}/kernel.elf", "-initrd", f"{build}/shoal.img"]
    if spec["boot"] == "uefi":
        return firmware_arguments(spec.get("variables")) + [
            "-drive", f"if=none,id=boot,format=raw,readonly=on,file={spec.get('disk_image') or build + '/disk.img'}",
            "-device", "virtio-blk-pci,disable-legacy=on,drive=boot,serial=shoal-boot,bootindex=0"]
    return firmware_arguments(spec.get("variables"))


def socket_chardev(name, path):
    return ["-chardev", f"socket,id={name},path={path},server=off"]


def command(spec):
    """spec: node, folder, port, disk (socket path or None), boot, build, mem, smp, cpu, accel, uuid, extra."""
    folder = spec["folder"]
    accel = "kvm" if spec["accel"] == "kvm" else "tcg,thread=multi" if int(spec["smp"].split(",")[0]) > 1 else "tcg"
    arguments = [QEMU, "-name", f"shoal-node{spec['node']}", "-machine", spec.get("machine") or "q35", "-cpu", spec["cpu"],
                 "-accel", accel, "-m", str(spec["mem"]), "-smp", str(spec["smp"]), "-nodefaults", "-no-user-config",
                 "-display", "none", "-uuid", spec["uuid"], *DEBUG_EXIT]
    arguments += door_arguments(spec)
    for name in ("conf", "seed"):
        arguments += ["-fw_cfg", f"name=opt/shoal/{name},file={folder}/{name}"]
    arguments += ["-fw_cfg", f"name=opt/shoal/key,file={spec['key']}"] if spec.get("key") else []
    arguments += socket_chardev("console", f"{folder}/console.sock") + ["-serial", "chardev:console"]
    arguments += socket_chardev("agent", f"{folder}/agent.sock") + ["-serial", "chardev:agent"]
    arguments += socket_chardev("qmp", f"{folder}/qmp.sock") + ["-mon", "chardev=qmp,mode=control"]
    if spec.get("port"):
        boot_index = ",bootindex=0" if spec["boot"] == "pxe" else ""
        arguments += ["-netdev", f"stream,id=net,server=off,addr.type=unix,addr.path={spec['port']}", "-device",
                      f"virtio-net-pci,disable-legacy=on,netdev=net,mac={mac_of(spec['node'])},romfile={boot_index}"]
    if spec.get("disk"):
        arguments += ["-blockdev", "driver=nbd,node-name=log,cache.direct=on,server.type=unix,"
                      f"server.path={spec['disk']}", "-device",
                      "virtio-blk-pci,disable-legacy=on,drive=log,serial=shoal-log,write-cache=on,werror=report,rerror=report"]
    return arguments + list(spec.get("extra") or [])


def probe_image():
    """A PVH guest of a few instructions that uses the FPU and SSE and leaves with PROBE_EXIT."""
    base = 0x100000
    code = bytes.fromhex("0f20c0" "83e0fb" "83c802" "0f22c0"   # CR0: no emulation, monitor
                         "0f20e0" "0d00060000" "0f22e0"       # CR4: SSE
                         "dbe3" "0f57c0"                      # fninit; xorps
                         "0fa2"                               # cpuid
                         "b0%02x" "66baf400" "ee" "f4" "ebfd" % PROBE_EXIT)
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", base)
    text_offset = 64 + 2 * 56 + len(note) + 4
    text_offset = (text_offset + 15) // 16 * 16
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01" + bytes(9), 2, 62, 1, base, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, text_offset, base, base, len(code), len(code), 16)
    notes = struct.pack("<IIQQQQQQ", 4, 4, 64 + 2 * 56, 0, 0, len(note), len(note), 4)
    image = header + load + notes + note
    return image + bytes(text_offset - len(image)) + code


def runs_tiny_guest(accel):
    with tempfile.NamedTemporaryFile(prefix="shoal-probe") as image:
        image.write(probe_image())
        image.flush()
        try:
            done = subprocess.run([QEMU, "-machine", "q35", "-cpu", "max", "-accel", accel, "-m", "32", "-nodefaults",
                                   "-display", "none", "-no-reboot", "-kernel", image.name, *DEBUG_EXIT],
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            return False
        except FileNotFoundError as error:
            raise ClusterError(f"{QEMU} is not installed; `make setup` installs it") from error
        return done.returncode == PROBE_EXIT << 1 | 1


def runs_firmware(accel):
    """The firmware is a harder test than a few instructions: it must get as far as talking on the serial line."""
    process = subprocess.Popen([QEMU, "-machine", "q35", "-cpu", "max", "-accel", accel, "-m", "96", "-nodefaults",
                                "-display", "none", "-no-reboot", "-serial", "stdio", *firmware_arguments()],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + PROBE_LIMIT_S
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, limit - time.monotonic()))
        return bool(ready) and bool(os.read(process.stdout.fileno(), 1))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def choose_accel(wanted, boot):
    """"kvm" only when it really runs a guest like ours."""
    if wanted == "tcg":
        return "tcg"
    works = os.access("/dev/kvm", os.R_OK | os.W_OK) and runs_tiny_guest("kvm") and (
        boot == "pvh" or runs_firmware("kvm"))
    if wanted == "kvm" and not works:
        raise ClusterError("--accel kvm: KVM is not there or does not run a guest; use tcg")
    return "kvm" if works else "tcg"


def check_build(boot, build=None):
    """Says what is missing before any machine is started."""
    build = build or build_folder()
    needed = {"pvh": ["kernel.elf", "shoal.img"], "uefi": ["disk.img"], "pxe": ["BOOTX64.EFI", "shoal.img", "shoal.conf"]}
    if boot not in needed:
        raise ClusterError(f"--boot {boot}: expected uefi, pxe or pvh")
    missing = [name for name in needed[boot] if not os.path.exists(os.path.join(build, name))]
    if missing:
        raise ClusterError(f"{build} lacks {', '.join(missing)}: run `make build` first")
    if boot != "pvh":
        firmware()

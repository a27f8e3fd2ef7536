"""What can be done to a live cluster, each as begin(field) -> end(): the harm, and what ends it.

A field is what a round works on: field.cluster, field.nodes, field.random, field.leader(), and the ways to power machines off
and on that keep the record of their clients true. `victim` is the machine that is harmed; a fault that hits links or all
machines alike has none.
"""
import threading
import time

SHORT_STOP_S = 0.02
OLDER_S = 4.0  # each node says once a second how far it is; an image from before that is known by it
MEMBER_CHANGES = (("demote", "promote"), ("drain", "undrain"), ("remove", "add"))
SERVICES = ("net", "logstore", "virtio_net0", "virtio_blk0")


def power_cut(field, victim):
    field.cut_power(victim)
    return lambda: field.power_on(victim)


def power_cut_of_all(field, victim):
    """Only what the disks had flushed is there afterwards. The victim comes back last."""
    order = [*field.others(victim), victim]
    for node in order:
        field.cut_power(node)

    def end():
        for node in order:
            field.power_on(node)
    return end


def reset(field, victim):
    """At once on again: what the disk had not flushed is lost, and hardly any time."""
    field.cut_power(victim)
    field.power_on(victim)
    return lambda: None


def pause(field, victim):
    field.cluster.pause(victim)
    return lambda: field.cluster.resume(victim)


def slow_clock(field, victim):
    """Stopped for a moment again and again: its clock runs at half the speed of the others'."""
    ending = threading.Event()

    def run():
        while not ending.is_set():
            field.cluster.pause(victim)
            ending.wait(SHORT_STOP_S)
            field.cluster.resume(victim)
            ending.wait(SHORT_STOP_S)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def end():
        ending.set()
        thread.join()
    return end


def cut_off(field, victim):
    for other in field.others(victim):
        field.cluster.cut(victim, other)
    return lambda: field.heal_links(victim)


def not_heard(field, victim):
    for other in field.others(victim):
        field.cluster.cut(victim, other, one_way=True)
    return lambda: field.heal_links(victim)


def hears_nothing(field, victim):
    for other in field.others(victim):
        field.cluster.cut(other, victim, one_way=True)
    return lambda: field.heal_links(victim)


def one_link(field, victim):
    """The two do not hear each other; the others hear both."""
    field.cluster.cut(victim, field.random.choice(field.others(victim)))
    return lambda: field.heal_links(victim)


def one_way_of_one_link(field, victim):
    field.cluster.cut(victim, field.random.choice(field.others(victim)), one_way=True)
    return lambda: field.heal_links(victim)


def bad_links(field, victim):
    for other in field.others(victim):
        field.cluster.drop(victim, other, field.random.choice((5, 20, 40)))
        field.cluster.delay(victim, other, field.random.choice((1, 10, 40)), jitter_ms=30)
        field.cluster.double(victim, other, 10)
        field.cluster.reorder(victim, other, 10)
    return lambda: field.heal_links(victim)


def slow_disk(field, victim):
    field.cluster.disk("slow", victim, ms=field.random.choice((5, 40, 150)))
    return lambda: field.cluster.disk("heal", victim)


def stalled_disk(field, victim):
    field.cluster.disk("stall", victim)
    return lambda: field.cluster.disk("heal", victim)


def full_disk(field, victim):
    field.cluster.disk("full", victim, **{"from": 0})
    return lambda: field.cluster.disk("heal", victim)


def failing_flush(field, victim):
    field.cluster.disk("fail", victim, kind="flush", times=1)
    return lambda: field.cluster.disk("heal", victim)


def blank_disk(field, victim):
    field.cut_power(victim)
    return lambda: field.power_on(victim, blank_disk=True)


def older_image(field, victim):
    """It comes back with a disk of some time ago, is refused, and gives its log up."""
    field.cluster.save_disk(victim, "older")
    time.sleep(OLDER_S)  # the fault itself: how old
    field.cut_power(victim)
    field.cluster.restore_disk(victim, "older")

    def end():
        field.power_on(victim, clients=False)
        field.wait_until(f"node {victim} says that its disk is an older image",
                         lambda: "older image" in field.run(victim, "status").text)
        field.wait_until(f"node {victim} gives up its log", lambda: field.run(
            victim, f"raft wipe --yes-lose-data {field.cluster.status()['name']}").status == 0)
        field.start_clients(victim)
    return end


def damaged_log(field, victim):
    field.cut_power(victim)
    field.cluster.disk("damage", victim, area="log", count=4, seed=field.random.randrange(1000))
    return lambda: field.power_on(victim)


def transfer(field, victim):
    """Leadership goes there, if it can."""
    field.try_run(field.random.choice(field.nodes), f"raft transfer {victim}")
    return lambda: None


def member_change(field, victim):
    """It loses its vote, its place, or no longer leads, if it may, and gets that back."""
    away, back = field.random.choice(MEMBER_CHANGES)
    field.try_run(field.random.choice(field.others(victim)), f"nodes {away} {victim}")
    return lambda: field.wait_until(f"node {victim} takes part again", lambda: field.try_run(
        field.random.choice(field.others(victim)), f"nodes {back} {victim}"))


def service_ends(field, victim):
    field.try_run(victim, f"service stop {field.random.choice(SERVICES)}")
    return lambda: None


FAULTS = {fault.__name__: fault for fault in (
    power_cut, power_cut_of_all, reset, pause, slow_clock, cut_off, not_heard, hears_nothing, one_link, one_way_of_one_link, bad_links,
    slow_disk, stalled_disk, full_disk, failing_flush, blank_disk, older_image, damaged_log, transfer, member_change,
    service_ends)}
# They take a disk away, or part of it: one machine at a time, not while another one's disk is not whole again, and not
# while there are only two voters: of two none may be lost.
LOSE_DISK = {"blank_disk", "older_image", "damaged_log"}
# These power their victim off; what else is to happen to it must not need it.
POWER = {"power_cut", "power_cut_of_all", "reset", "blank_disk", "older_image", "damaged_log"}
LINKS = {"cut_off", "not_heard", "hears_nothing", "one_link", "one_way_of_one_link", "bad_links"}
DISKS = {"slow_disk", "stalled_disk", "full_disk", "failing_flush"}
STOPS = {"pause", "slow_clock"}
# QEMU stops a machine when its disk has answered, and not before.
WAITS_FOR_DISK = STOPS | {"stalled_disk"}
NEED_SHELL = {"transfer", "member_change", "service_ends"}
VOTES_MISSING = LOSE_DISK | {"member_change"}
# An older image is known by those that saw the newer one (docs/004-log.md): they must stay. Nothing is left to harm while all
# are off.
ALONE = {"older_image", "power_cut_of_all"}
GROUPS = (POWER, LINKS, DISKS, STOPS, NEED_SHELL)


def end_leases(chosen):
    """Nodes whose leases may end although they can be heard: they are removed; or reports are lost, and all may be."""
    if any(name == "bad_links" for name, _ in chosen):
        return None
    return [victim for name, victim in chosen if name == "member_change"]


def draw(random, nodes, leader):
    """One to three faults at once, [(name, victim)]: several may hit one machine, but none twice in the same way. The leader is
    hit more often than others, and so is who was hit already."""
    chosen = []
    for _ in range(random.choice((1, 2, 2, 3))):
        name = random.choice(list(FAULTS))
        victim = random.choice([*nodes, *nodes, leader, leader, *(there for _, there in chosen for _ in range(4))])
        group = next(g for g in GROUPS if name in g)
        if name in ALONE:
            return chosen or [(name, random.choice([node for node in nodes if node != leader]))]
        if name in VOTES_MISSING and any(other in VOTES_MISSING for other, _ in chosen):
            continue
        if any(there == victim and (other in group or other in POWER or group is POWER) for other, there in chosen):
            continue
        if any(there == victim and WAITS_FOR_DISK >= {name, other} for other, there in chosen):
            continue
        if group is NEED_SHELL and any(other in NEED_SHELL for other, _ in chosen):
            continue
        chosen.append((name, victim))
    # What asks a shell goes first, while it answers; what cuts power, last.
    order = (NEED_SHELL, LINKS, DISKS, STOPS, POWER)
    return sorted(chosen, key=lambda fault: next(i for i, g in enumerate(order) if fault[0] in g))

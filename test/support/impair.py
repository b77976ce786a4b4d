"""A line between two hosts on this machine for kernels without netem: two TUN devices, joined in user space.

usage: impair.py NEAR FAR
Makes both devices and prints a line. Reads one JSON object per line, {"delayMs": 0, "loss": 0, "kbps": null}: delay in
each direction, share of packets that vanish, rate of each direction (null: none). It holds for packets that come from
then on. Ends with its standard input.
"""

import collections, fcntl, json, os, random, selectors, struct, sys, time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
# As in a cheap router: what would wait longer is dropped.
QUEUE_S = 0.25


def open_tun(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


class Direction:
    def __init__(self, source, target):
        self.source, self.target = source, target
        self.under_way = collections.deque()
        self.free_at = 0.0

    def take_in(self, line):
        for _ in range(64):
            try:
                packet = os.read(self.source, 65536)
            except (BlockingIOError, OSError):
                return
            now = time.monotonic()
            if random.random() < line["loss"]:
                continue
            sent = now
            if line["kbps"]:
                begin = max(now, self.free_at)
                if begin - now > QUEUE_S:
                    continue
                sent = self.free_at = begin + len(packet) * 8 / (line["kbps"] * 1000)
            due = sent + line["delayMs"] / 1000
            if self.under_way:
                # A shorter delay reorders nothing.
                due = max(due, self.under_way[-1][0])
            self.under_way.append((due, packet))

    def let_out(self):
        while self.under_way and self.under_way[0][0] <= time.monotonic():
            try:
                os.write(self.target, self.under_way.popleft()[1])
            except OSError:
                pass  # the device is down: the cable is out

    def wait_s(self):
        return max(0.0, self.under_way[0][0] - time.monotonic()) if self.under_way else None


near, far = open_tun(sys.argv[1]), open_tun(sys.argv[2])
ways = [Direction(near, far), Direction(far, near)]
line = {"delayMs": 0, "loss": 0, "kbps": None}
random.seed(42)
waiting = selectors.DefaultSelector()
for way in ways:
    waiting.register(way.source, selectors.EVENT_READ, way)
waiting.register(sys.stdin, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    due = [s for s in (way.wait_s() for way in ways) if s is not None]
    for key, _ in waiting.select(min(due) if due else None):
        if key.data:
            key.data.take_in(line)
            continue
        text = sys.stdin.readline()
        if not text:
            sys.exit(0)
        line = json.loads(text)
    for way in ways:
        way.let_out()

# SPDX-License-Identifier: Apache-2.0
"""Tells ovs-vswitchd how the IPsec of its ports is, over its control socket:
eoip/ipsec PORT STATE [NAME=VALUE]...  Never blocks: what cannot be told now is
told when ovs-vswitchd is there again."""

import os

import ovs.dirs
import ovs.jsonrpc
import ovs.stream
import ovs.vlog

vlog = ovs.vlog.Vlog("switch")

REPEAT = 10.0    # Seconds; for three times as long the switch believes us.
PATIENCE = 5.0   # For an answer; then the connection is made anew.


def socket_path():
    """ovs-vswitchd's, or None where it does not run."""
    try:
        with open(f"{ovs.dirs.RUNDIR}/ovs-vswitchd.pid",
                  encoding="ascii") as file:
            pid = int(file.read())
    except (OSError, ValueError):
        return None
    path = f"{ovs.dirs.RUNDIR}/ovs-vswitchd.{pid}.ctl"
    return path if os.path.exists(path) else None


class Switch:
    def __init__(self):
        self.rpc = None
        self.asked = None      # When the request that waits was sent.
        self.told = {}         # Arguments by port, as last sent,
        self.told_at = {}      # and when.
        self.complaints = set()

    def run(self, reports, now):
        """`reports`: (word, arguments) by port, as in charon.State."""
        for port in list(self.told):
            if port not in reports:
                del self.told[port], self.told_at[port]
        if self.rpc:
            self.receive(now)
        port = self.due(reports, now)
        if port is None or self.asked is not None:
            return
        if not self.rpc:
            self.connect()
        if self.rpc:
            self.rpc.send(ovs.jsonrpc.Message.create_request(
                "eoip/ipsec", [port, *reports[port]]))
            self.rpc.run()
            self.asked = now
        # Without it, too: it is not looked for all the time.
        self.told[port] = reports[port]
        self.told_at[port] = now

    def due(self, reports, now):
        """A port whose turn it is, or None."""
        for port, report in reports.items():
            if (self.told.get(port) != report
                    or now >= self.told_at[port] + REPEAT):
                return port
        return None

    def connect(self):
        path = socket_path()
        if path is None:
            return
        error, stream = ovs.stream.Stream.open(f"unix:{path}")
        if not error:
            self.rpc = ovs.jsonrpc.Connection(stream)

    def receive(self, now):
        self.rpc.run()
        error, message = self.rpc.recv()
        if message:
            self.asked = None
            if message.error is not None:
                self.complain(str(message.error).strip())
            return
        if self.rpc.get_status() or (self.asked is not None
                                     and now > self.asked + PATIENCE):
            self.rpc.close()
            self.rpc = self.asked = None
            # A new one knows nothing yet.
            self.told, self.told_at = {}, {}

    def complain(self, text):
        """Once: it would be the same each time."""
        if text not in self.complaints and len(self.complaints) < 100:
            self.complaints.add(text)
            vlog.warn(f"ovs-vswitchd is not told of IPsec: {text}")

    def wait(self, poller, reports, now):
        if self.rpc:
            self.rpc.wait(poller)
            self.rpc.recv_wait(poller)
        if self.asked is None and self.due(reports, now) is not None:
            poller.immediate_wake()
        poller.timer_wait(1000)


__all__ = ["Switch"]

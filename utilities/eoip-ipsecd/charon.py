# SPDX-License-Identifier: Apache-2.0
"""Keeps strongSwan's IKE daemon, charon, in step with what is wanted: loads
connections and secrets over VICI, initiates where there are no keys, and knows
how each connection is.

charon is neither started nor ended here, and of what it has only the names that
begin with tunnels.PREFIX are ours.  Times are seconds of time.monotonic(),
which the caller gives.  One thread."""

import random
import time

import ovs.poller
import ovs.vlog

import reasons
import tunnels
import vici

vlog = ovs.vlog.Vlog("charon")

LOOK = 2.0       # Seconds from one look at charon to the next.
RETRY = 8.0      # From one attempt to the next, and up to half as much again.
ATTEMPT = 30.0   # An attempt without an end is given up, and begun anew.

# States of an SA of ESP that packets go through.
IN_USE = ("INSTALLED", "UPDATING", "REKEYING", "REKEYED")


class State:
    """How a connection is, in words that the switch knows."""

    def __init__(self, word, reason="", algorithms="", since=None):
        self.word = word
        self.reason = reason
        self.algorithms = algorithms
        self.since = int(time.time()) if since is None else since

    def what(self):
        return self.word, self.reason, self.algorithms


def algorithm(sa):
    """Of one SA: AES_CBC_256/HMAC_SHA2_256_128/MODP_2048."""
    words = []
    for kind in "encr", "integ":
        if name := sa.get(f"{kind}-alg"):
            size = sa.get(f"{kind}-keysize")
            words.append(f"{name}_{size}" if size else name)
    if "integ-alg" not in sa and "prf-alg" in sa:
        words.append(sa["prf-alg"])
    if "dh-group" in sa:
        words.append(sa["dh-group"])
    return "/".join(words)


class Loaded:
    """A connection that charon has from us."""

    def __init__(self, connection):
        self.connection = connection
        self.attempt = reasons.Attempt()
        self.begun = None      # When the attempt that runs was initiated.
        self.again = 0.0       # When the next may be.
        self.refused = None    # Why charon does not take it.
        self.state = State("negotiating")

    def become(self, word, reason="", algorithms="", since=None):
        state = State(word, reason, algorithms, since)
        if state.what() != self.state.what():
            if word == self.state.word:
                state.since = self.state.since
            self.state = state
            vlog.info(f"{self.connection.name}: {word}"
                      f"{f': {reason}' if reason else ''}"
                      f"{f', {algorithms}' if algorithms else ''}")


class Charon:
    def __init__(self, path):
        self.path = path
        self.control = None    # vici.Connection
        self.events = None     # vici.Events
        self.version = None
        self.why_not = "not looked for yet"
        self.loaded = {}       # Loaded by name.
        self.left = set()      # Names that a daemon before us has loaded.
        self.next_look = 0.0

    ## The connection to charon itself.

    def connect(self):
        try:
            self.control = vici.Connection(self.path)
            self.events = vici.Events(self.path, "log", "child-updown",
                                      "ike-updown")
            self.version = self.control.call("version").get("version", "?")
            self.forget_strangers()
        except FileNotFoundError:
            self.lost("strongSwan is not running, or has no vici: there is no "
                      f"{self.path}")
        except OSError as reason:
            self.lost(f"strongSwan does not answer at {self.path}: "
                      f"{reason.strerror or reason}")
        except vici.Refused as reason:
            self.lost(f"strongSwan is none that we know: {reason}")
        else:
            vlog.info(f"connected to strongSwan {self.version}")

    def lost(self, why):
        """All that was loaded is to be loaded again."""
        for connection in self.control, self.events:
            if connection:
                connection.close()
        if why != self.why_not:
            vlog.warn(why)
        self.control = self.events = self.version = None
        self.why_not = why
        self.loaded = {}

    def forget_strangers(self):
        """What a daemon before us has left, of ports that may be no more,
        goes unless it is loaded again now."""
        self.left = {name for command, key in (("get-conns", "conns"),
                                               ("get-shared", "keys"))
                     for name in self.control.call(command).get(key, [])
                     if name.startswith(tunnels.PREFIX)}

    ## What it has from us.

    def load(self, connection):
        loaded = Loaded(connection)
        self.loaded[connection.name] = loaded
        self.left.discard(connection.name)
        for proposal in connection.weak():
            vlog.warn(f"{connection.name}: {proposal} is weak, and offered "
                      "because a port asks for it")
        try:
            self.control.call("load-shared", connection.secret())
        except vici.Refused:
            loaded.refused = "strongSwan does not take the secret"
            return
        try:
            self.control.call("load-conn", connection.settings())
        except vici.Refused:
            loaded.refused = ("strongSwan does not know what is in "
                              "ike_proposals or esp_proposals")
            return
        vlog.info(f"{connection.name}: loaded")

    def unload(self, name):
        """With its keys: the peer is told that they are no more."""
        for command, message in (
                ("unload-conn", {"name": name}),
                ("unload-shared", {"id": name}),
                ("terminate", {"ike": name, "force": "yes", "timeout": "-1"})):
            try:
                self.control.call(command, message)
            except vici.Refused:
                pass    # It has none of that name.
        self.loaded.pop(name, None)
        self.left.discard(name)
        vlog.info(f"{name}: unloaded")

    def check_loaded(self):
        """Whoever has swanctl load all of its own takes away ours."""
        conns = self.control.call("get-conns").get("conns", [])
        keys = self.control.call("get-shared").get("keys", [])
        for name, loaded in list(self.loaded.items()):
            if not loaded.refused and not (name in conns and name in keys):
                vlog.warn(f"{name}: somebody has unloaded it")
                self.load(loaded.connection)

    ## Looking, and initiating.

    def run(self, connections, now):
        """`connections` of tunnels.Wanted.  Returns whether something may be
        known that was not before."""
        if not self.control:
            if now < self.next_look:
                return False
            self.next_look = now + LOOK
            self.connect()
            if not self.control:
                return True
            self.next_look = now
        try:
            heard = self.listen()
            changed = self.load_wanted(connections)
            if heard or changed or now >= self.next_look:
                self.next_look = now + LOOK
                self.check_loaded()
                self.look(now)
                return True
        except OSError as reason:
            self.lost(f"strongSwan does not answer any more: "
                      f"{reason.strerror or reason}")
            return True
        except vici.Refused as reason:
            self.lost(f"strongSwan refuses to answer: {reason}")
            return True
        return False

    def load_wanted(self, connections):
        changed = False
        for name, loaded in list(self.loaded.items()):
            if loaded.connection != connections.get(name):
                self.unload(name)
                changed = True
        for name, connection in connections.items():
            if name not in self.loaded:
                self.load(connection)
                changed = True
        for name in list(self.left):
            self.unload(name)
        return changed

    def listen(self):
        """Whether a connection went up or down."""
        moved = False
        for name, message in self.events.read():
            if name == "log":
                loaded = self.loaded.get(message.get("ikesa-name"))
                if loaded:
                    loaded.attempt.line(message.get("msg", ""))
            else:
                moved = True
        return moved

    def look(self, now):
        found = {}
        for message in self.control.stream("list-sas", "list-sa"):
            for name, sa in message.items():
                if name in self.loaded:
                    found.setdefault(name, []).append(sa)
        for name, loaded in self.loaded.items():
            self.judge(loaded, found.get(name, []), now)

    def judge(self, loaded, sas, now):
        if loaded.refused:
            loaded.become("failed", loaded.refused)
            return
        for sa in sas:
            for child in sa.get("child-sas", {}).values():
                if child.get("state") in IN_USE:
                    self.is_up(loaded, sa, child)
                    return
        loaded.become("failed" if loaded.attempt.reason else "negotiating",
                      loaded.attempt.reason or "")
        self.initiate(loaded, sas, now)

    def is_up(self, loaded, sa, child):
        since = None
        if not loaded.begun:    # It was up before we came.
            since = int(time.time()) - int(sa.get("established", "0"))
        loaded.begun = None
        loaded.attempt.reason = None
        loaded.become("up", algorithms=f"IKEv{sa.get('version', '?')} "
                      f"{algorithm(sa)}, ESP {algorithm(child)}",
                      since=since)

    def initiate(self, loaded, sas, now):
        """Unless an attempt of ours runs, or the last has just ended."""
        ours = [sa for sa in sas if sa.get("initiator") == "yes"
                and sa.get("state") in ("CREATED", "CONNECTING")]
        if ours and loaded.begun and now < loaded.begun + ATTEMPT:
            return
        if now < loaded.again:
            return
        for sa in ours:
            try:
                self.control.call("terminate", {
                    "ike-id": sa["uniqueid"], "force": "yes",
                    "timeout": "-1"})
            except vici.Refused:
                pass    # It has just ended.
        loaded.begun = now
        # Two that began at the same moment shall not do so again.
        loaded.again = now + RETRY * random.uniform(1.0, 1.5)
        try:
            self.control.call("initiate", {
                "child": loaded.connection.name, "timeout": "-1"})
        except vici.Refused as reason:
            vlog.dbg(f"{loaded.connection.name}: not initiated: {reason}")

    def state(self, name):
        """Of a connection that is wanted."""
        if not self.control:
            return State("no-daemon", self.why_not, since=0)
        return self.loaded[name].state if name in self.loaded \
            else State("negotiating", since=0)

    def wait(self, poller, now):
        if self.events:
            poller.fd_wait(self.events.fileno(), ovs.poller.POLLIN)
        poller.timer_wait(max(0, int((self.next_look - now) * 1000)))

    def close(self, cleanup):
        """Without cleanup tunnels go on, and charon makes new keys."""
        if self.control and cleanup:
            for name in list(self.loaded):
                self.unload(name)


__all__ = ["Charon", "State"]

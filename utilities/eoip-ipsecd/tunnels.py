# SPDX-License-Identifier: Apache-2.0
"""What the ports of the database ask of IPsec, and how strongSwan is told it.

Policies are of addresses and a protocol, and know no tunnel ids: the ports
between the same two addresses share a connection, and all that belongs to
it."""

import dataclasses
import ipaddress
import re

# strongSwan's words, best first.  Nothing but what is here is offered or taken.
#
# As initiator of IKEv1, strongSwan offers for ESP only the group that IKE has
# agreed on, if the list has it.  RouterOS wants modp1024 there, and modp2048
# for IKE: so the list has no other group.  That of ESP adds to the secrecy of
# IKE's and takes nothing from it.
IKE_PROPOSALS = {
    "1": ("aes256-sha256-modp2048", "aes128-sha256-modp2048",
          "aes256-sha1-modp2048", "aes128-sha1-modp2048"),
    "2": ("aes256gcm16-prfsha256-curve25519", "aes256gcm16-prfsha256-ecp256",
          "aes256gcm16-prfsha256-modp2048", "aes256-sha256-modp2048")}
ESP_PROPOSALS = {
    "1": ("aes256gcm16-modp1024", "aes256-sha256-modp1024",
          "aes256-sha1-modp1024", "aes128-sha1-modp1024"),
    "2": ("aes256gcm16-curve25519", "aes256gcm16-ecp256",
          "aes256gcm16-modp2048", "aes256-sha256-modp2048")}

# Only where a port names them, and then the log says so.
WEAK = re.compile(r"(^|-)(des|3des|md5|modp768|modp1024|null)(-|$)")
WEAK_ESP = re.compile(r"(^|-)(des|3des|md5|null)(-|$)")

# All are longer than RouterOS's, a day and half an hour: it is the router that
# begins with new keys, at its own times.
LIFETIMES = {
    "1": ({"reauth_time": "26h", "rekey_time": "0s", "rand_time": "1h"},
          {"rekey_time": "50m", "life_time": "1h"}),
    "2": ({"rekey_time": "26h", "reauth_time": "0s", "rand_time": "1h"},
          {"rekey_time": "50m", "life_time": "1h"})}

# Of connections and secrets.  Open vSwitch's own daemon takes down what has a
# "-" and digits in its name and is none of its own.
PREFIX = "eoip_"


@dataclasses.dataclass(frozen=True)
class Connection:
    """What strongSwan is to know of one pair of addresses."""

    remote: str
    local: str                      # "" for any
    version: str                    # "1" or "2"
    ike_proposals: tuple
    esp_proposals: tuple
    psk: str = dataclasses.field(repr=False)

    @property
    def name(self):
        return PREFIX + "_".join(filter(None, (self.local, self.remote)))

    def secret(self):
        """For load-shared.  The owner is the peer alone: a secret that were
        ours, too, would do for any peer."""
        return {"id": self.name, "type": "IKE", "data": self.psk.encode(),
                "owners": [self.remote]}

    def settings(self):
        """For load-conn."""
        bits, protocol = ("128", "97") if ":" in self.remote else ("32", "47")
        ike, esp = LIFETIMES[self.version]
        # IKEv1 finds the secret by the peer's address; behind a NAT it calls
        # itself by another one.  IKEv2 finds it by what the peer calls itself.
        peer = self.remote if self.version == "2" else "%any"
        local = {"auth": "psk"}
        found = {
            "version": self.version, "remote_addrs": [self.remote],
            "proposals": self.ike_proposals, "dpd_delay": "10s",
            "dpd_timeout": "60s", "unique": "replace", "mobike": "no", **ike,
            "local": local, "remote": {"auth": "psk", "id": peer},
            "children": {self.name: {
                "mode": "transport", "esp_proposals": self.esp_proposals,
                "start_action": "trap", "dpd_action": "trap",
                "replay_window": "256", **esp,
                "local_ts": [f"{self.local}/{bits}[{protocol}]" if self.local
                             else f"dynamic[{protocol}]"],
                "remote_ts": [f"{self.remote}/{bits}[{protocol}]"]}}}
        if self.local:
            found["local_addrs"] = [self.local]
            local["id"] = self.local
        return {self.name: found}

    def weak(self):
        """Those of its proposals that are weak and were asked for by name."""
        return [proposal for proposals, defaults, pattern in (
            (self.ike_proposals, IKE_PROPOSALS, WEAK),
            (self.esp_proposals, ESP_PROPOSALS, WEAK_ESP))
            for proposal in proposals
            if proposal not in defaults[self.version]
            and pattern.search(proposal)]


def proposals(options, name, defaults, version):
    asked = [word for word in options.get(name, "").split(",") if word]
    return tuple(asked) or defaults[version]


def connection_of(options):
    """What a port with these options needs, or None if it is nothing.  The
    switch has no port with a psk that is to anything but an address."""
    try:
        remote, local = (
            str(ipaddress.ip_address(options[name])) if name in options
            else "" for name in ("remote_ip", "local_ip"))
    except ValueError:
        return None
    version = options.get("ike_version", "1")
    if not options.get("psk") or not remote or version not in IKE_PROPOSALS:
        return None
    return Connection(
        remote=remote, local=local, version=version,
        ike_proposals=proposals(options, "ike_proposals", IKE_PROPOSALS,
                                version),
        esp_proposals=proposals(options, "esp_proposals", ESP_PROPOSALS,
                                version),
        psk=options["psk"])


@dataclasses.dataclass
class Wanted:
    """What all ports together ask for."""

    connections: dict = dataclasses.field(default_factory=dict)   # By name.
    ports: dict = dataclasses.field(default_factory=dict)  # Connection's name.
    conflicts: dict = dataclasses.field(default_factory=dict)     # Sentence.


def conflict(connection, others):
    """Why it cannot be beside the others, which are (port, connection)."""
    for port, other in others:
        if connection.remote != other.remote or connection == other:
            continue
        if connection.name == other.name:
            return (f"port {port} has the same addresses and another psk, "
                    "ike_version, ike_proposals or esp_proposals")
        if not connection.local or not other.local:
            return (f"port {port} has the same remote_ip: give local_ip to "
                    "both, or to neither")
        if connection.psk != other.psk:
            return f"port {port} has the same remote_ip and another psk"
    return None


def wanted(ports):
    """Of ports, each (name, options)."""
    found = Wanted()
    taken = []
    for name, options in sorted(ports, key=lambda port: port[0]):
        connection = connection_of(options)
        if connection is None:
            continue
        sentence = conflict(connection, taken)
        if sentence:
            found.conflicts[name] = sentence
            continue
        taken.append((name, connection))
        found.connections[connection.name] = connection
        found.ports[name] = connection.name
    return found


__all__ = ["PREFIX", "Connection", "Wanted", "wanted"]

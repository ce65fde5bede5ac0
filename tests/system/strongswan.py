# SPDX-License-Identifier: Apache-2.0
"""strongSwan at a site of the sandbox, and our daemon that tells it what to do.

strongSwan is never installed here, as it would care for the network of this
machine, too: EOIP_STRONGSWAN is a folder with its packages and their libraries
unpacked, which it runs in, with a /run of the site's own."""

import os
import subprocess
import sys
import time

from sandbox import DATAPATH, TOP, Failure, Skip, check, run, until

sys.path.append(f"{TOP}/utilities/eoip-ipsecd")

import vici  # noqa: E402

ROOT = os.environ.get("EOIP_STRONGSWAN", "")
BUILD = os.environ.get("EOIP_BUILD", f"{TOP}/build")
DAEMON = f"{TOP}/utilities/eoip-ipsecd/eoip-ipsecd"
SNIPPET = f"{TOP}/utilities/eoip-ipsecd/strongswan.conf"

# The algorithms are what Debian's has; without its test vectors it starts in a
# tenth of the time in an emulator.
SETTINGS = """
charon {
  load = aes sha2 sha1 md5 random nonce openssl gmp hmac kdf gcm curve25519 \
kernel-netlink socket-default vici
  filelog {
    log {
      path = /run/charon.log
      default = 1
      time_format = %T
      flush_line = yes
    }
  }
}
"""


def need():
    if DATAPATH != "system":
        raise Skip("the userspace datapath has no IPsec")
    if not ROOT:
        raise Skip("no strongSwan was unpacked")
    for module in ("xfrm_user", "esp4", "esp6"):
        if run("modprobe", module).returncode:
            raise Skip(f"this kernel has no {module}")


def content(path):
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


class Charon:
    """strongSwan's daemon at a place of the sandbox."""

    def __init__(self, sandbox, place):
        self.sandbox, self.place = sandbox, place
        self.folder = f"/run/{sandbox.name}-sandbox/strongswan-{place}"
        self.socket = f"{self.folder}/charon.vici"
        self.process = None

    def inside(self, command):
        """Where it is in its own tree, with the site's network."""
        return ["ip", "netns", "exec", self.sandbox.netns(self.place),
                "unshare", "-m", "bash", "-ec", f"""
            for name in dev proc sys; do
                mkdir -p {ROOT}/$name && mount --rbind /$name {ROOT}/$name
            done
            mkdir -p {ROOT}/run {ROOT}/var && ln -sfn ../run {ROOT}/var/run
            mount --bind {self.folder} {ROOT}/run
            export STRONGSWAN_CONF=/run/strongswan.conf
            exec chroot {ROOT} {command}"""]

    def start(self):
        self.spawn()
        self.ready()

    def spawn(self):
        os.makedirs(self.folder, exist_ok=True)
        with open(SNIPPET, encoding="ascii") as snippet, \
                open(f"{self.folder}/strongswan.conf", "w",
                     encoding="ascii") as file:
            file.write(SETTINGS + snippet.read())
        with open(f"{self.folder}/output", "ab") as output:
            self.process = subprocess.Popen(
                self.inside("/usr/lib/ipsec/charon"),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def ready(self):
        until(lambda: os.path.exists(self.socket),
              f"strongSwan at {self.place} makes no socket", 60)

    def stop(self, sure=False):
        """`sure` is without a farewell."""
        if self.process:
            if sure:
                self.process.kill()
            else:
                self.process.terminate()
            self.process.wait(30)
            self.process = None
        for name in "charon.vici", "charon.pid":
            if os.path.exists(f"{self.folder}/{name}"):
                os.remove(f"{self.folder}/{name}")

    def swanctl(self, conf):
        """Loads what would be a file of /etc/swanctl/conf.d."""
        with open(f"{self.folder}/swanctl.conf", "w",
                  encoding="ascii") as file:
            file.write(conf)
        done = run(*self.inside(
            "/usr/sbin/swanctl --load-all --file /run/swanctl.conf"))
        check(done.returncode == 0, f"swanctl: {done.stderr or done.stdout}")

    def log(self):
        return content(f"{self.folder}/charon.log")

    def output(self):
        """For who looks for the reason of a failure."""
        return content(f"{self.folder}/output") + self.log()

    def call(self, command, message=None):
        connection = vici.Connection(self.socket)
        connection.sock.settimeout(30)
        try:
            return connection.call(command, message)
        finally:
            connection.close()

    def sas(self):
        connection = vici.Connection(self.socket)
        try:
            return connection.stream("list-sas", "list-sa")
        finally:
            connection.close()

    def children(self):
        return [child for message in self.sas() for sa in message.values()
                for child in sa.get("child-sas", {}).values()
                if child["state"] == "INSTALLED"]


# As /interface eoip with ipsec-secret makes it [protocol.md], IKEv1 in main
# mode with RouterOS's profile and proposal "default".
ROUTER_IKE = ["aes128-sha1-modp2048", "aes128-sha1-modp1024",
              "3des-sha1-modp2048", "3des-sha1-modp1024"]
ROUTER_ESP = ["aes256-sha1-modp1024", "aes192-sha1-modp1024",
              "aes128-sha1-modp1024"]


def be_router(charon, local, remote, secret, **changes):
    """Has it want a tunnel as a router does."""
    bits, protocol = ("128", "97") if ":" in remote else ("32", "47")
    charon.call("load-shared", {"id": "router", "type": "IKE",
                                "data": secret, "owners": [remote]})
    charon.call("load-conn", {"router": {
        "version": "1", "aggressive": "no", "local_addrs": [local],
        "remote_addrs": [remote], "proposals": ROUTER_IKE,
        "rekey_time": "0s", "reauth_time": "24h",
        "dpd_delay": "8s", "dpd_timeout": "32s",
        "local": {"auth": "psk", "id": local},
        "remote": {"auth": "psk", "id": "%any"},
        "children": {"router": {
            "mode": "transport", "local_ts": [f"{local}/{bits}[{protocol}]"],
            "remote_ts": [f"{remote}/{bits}[{protocol}]"],
            "esp_proposals": ROUTER_ESP, "rekey_time": "24m",
            "life_time": "30m", "replay_window": "128",
            "start_action": "trap"}},
        **changes}})


class Daemon:
    """eoip-ipsecd of a site, with the Charon there."""

    def __init__(self, sandbox, charon):
        self.sandbox, self.charon = sandbox, charon
        self.site = charon.place
        self.folder = f"/run/{sandbox.name}-sandbox/{self.site}"
        self.pidfile = f"{self.folder}/eoip-ipsecd.pid"
        self.process = None

    def start(self):
        self.spawn()
        self.ready()

    def spawn(self):
        if os.path.exists(self.pidfile):
            os.remove(self.pidfile)      # Of one that was killed.
        # As its unit does, but in the foreground.
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.sandbox.netns(self.site), "env",
             f"OVS_RUNDIR={self.folder}", f"OVS_LOGDIR={self.folder}",
             f"OVS_PKGDATADIR={BUILD}/ovs/vswitchd", DAEMON,
             "--vici", self.charon.socket, "--pidfile", "--log-file",
             "-v", "console:off", "syslog:off", "file:dbg"],
            stdin=subprocess.DEVNULL)

    def ready(self):
        until(lambda: os.path.exists(self.pidfile),
              "eoip-ipsecd does not start", 90)

    def stop(self, *options):
        self.sandbox.appctl(self.site, "-t", "eoip-ipsecd", "exit", *options)
        self.process.wait(10)
        self.process = None

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log(self):
        return content(f"{self.folder}/eoip-ipsecd.log")

    def show(self):
        return self.sandbox.appctl(self.site, "-t", "eoip-ipsecd", "show")

    def wait_for(self, text, port="e1", seconds=40):
        """Until it shows that of the port; returns the line."""
        seen = []

        def found():
            # To ask costs an emulator what it needs to get on.
            time.sleep(0.3)
            seen[:] = [line for line in self.show().splitlines()
                       if line.startswith(f"{port}: ")]
            return [line for line in seen if text in line]

        try:
            return until(found, "", seconds)[0]
        except Failure:
            raise Failure(f"eoip-ipsecd at {self.site} never shows \"{text}\" "
                          f"of {port}, but {seen}") from None


__all__ = ["BUILD", "Charon", "Daemon", "be_router", "need", "vici"]

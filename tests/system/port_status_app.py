# SPDX-License-Identifier: Apache-2.0
"""An application for the OpenFlow controller os-ken: says which ports' links
go down and up.  Run by test_keepalive.py with osken-manager."""

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls
from os_ken.ofproto import ofproto_v1_3


class PortStatus(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    @set_ev_cls(ofp_event.EventOFPStateChange, MAIN_DISPATCHER)
    def connected(self, event):
        print("connected", flush=True)

    @set_ev_cls(ofp_event.EventOFPPortStatus, MAIN_DISPATCHER)
    def port_status(self, event):
        port = event.msg.desc
        down = port.state & ofproto_v1_3.OFPPS_LINK_DOWN
        print(port.name.decode(), "down" if down else "up", flush=True)

# nov/27/2026 10:00:00 by RouterOS 7.16
/interface bridge
add name=bridge1 comment="not ours"
/interface eoip
add allow-fast-path=no comment="To \"Z\C3\BCrich\", \$5\?" dscp=46 \
    ipsec-secret=hunter2 keepalive=10s,3 local-address=192.0.2.2 \
    mac-address=02:11:22:33:44:55 mtu=1500 name=eoip1 remote-address=\
    192.0.2.1 tunnel-id=1234
add !keepalive clamp-tcp-mss=no comment="long com\
    \_ment" dont-fragment=inherit name="EoIP to the office" tunnel-id=0x10
set [ find name=eoip1 ] keepalive=00:01:30,5
/interface eoipv6 add local-address=2001:db8::2 name=v6 tunnel-id=4095 disabled=no

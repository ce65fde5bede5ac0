# SPDX-License-Identifier: Apache-2.0
#
# Builds the programs of the patched OVS tree in the current directory.  OVS's
# own Makefile is used as it is; this file only adds our provider to what
# ovs-vswitchd is linked with.  EOIP_PROVIDER names the archive.  Always build
# with this file there, or ovs-vswitchd is linked without it and fails.

include Makefile

vswitchd_ovs_vswitchd_LDADD += $(EOIP_PROVIDER) -lstdc++
vswitchd/ovs-vswitchd$(EXEEXT): $(EOIP_PROVIDER)

# OVS makes these only as a part of "all", which would build all the rest too.
# The file has what our C file is compiled with, to fit OVS's headers.
eoip-built-sources: $(BUILT_SOURCES)
	@echo '$(AM_CFLAGS)' > eoip-cflags

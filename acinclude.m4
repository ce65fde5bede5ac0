dnl SPDX-License-Identifier: Apache-2.0

dnl EOIP_LIBNL
dnl
dnl Finds libnl-3, by which the command eoip speaks to the kernel.
AC_DEFUN([EOIP_LIBNL], [
  AC_PATH_PROG([PKG_CONFIG], [pkg-config])
  AC_MSG_CHECKING([for libnl-3])
  AS_IF([test -n "$PKG_CONFIG" && "$PKG_CONFIG" libnl-3.0],
    [LIBNL_CFLAGS=`"$PKG_CONFIG" --cflags libnl-3.0`
     LIBNL_LIBS=`"$PKG_CONFIG" --libs libnl-3.0`
     AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([libnl-3 is missing, which the command eoip needs: install the packages "libnl-3-dev" and "pkg-config"])])
  AC_SUBST([LIBNL_CFLAGS])
  AC_SUBST([LIBNL_LIBS])
])

dnl EOIP_OVS_SOURCE
dnl
dnl Finds the source of Open vSwitch, as a tarball or an unpacked folder, and
dnl checks that it is OVS and of a version that we have a patch for.
AC_DEFUN([EOIP_OVS_SOURCE], [
  AC_ARG_WITH([ovs-source],
    [AS_HELP_STRING([--with-ovs-source=TARBALL|DIR],
       [source of Open vSwitch (default: that of the package
        openvswitch-source)])],
    [OVS_SOURCE=$withval],
    [# A tarball in Debian 12, a folder in Debian 13.
     OVS_SOURCE=/usr/src/openvswitch
     AS_IF([test -f "$OVS_SOURCE/openvswitch.tar.gz"],
       [OVS_SOURCE=$OVS_SOURCE/openvswitch.tar.gz])])

  AC_MSG_CHECKING([for the source of Open vSwitch])
  AS_IF(
    [test -d "$OVS_SOURCE"],
    [OVS_SOURCE=`cd "$OVS_SOURCE" && pwd`
     eoip_ac=`cat "$OVS_SOURCE/configure.ac" 2>/dev/null`
     eoip_landmark=`ls "$OVS_SOURCE/lib/netdev-native-tnl.c" 2>/dev/null`],
    [test -f "$OVS_SOURCE"],
    [case $OVS_SOURCE in [[\\/]]*) ;; *) OVS_SOURCE=`pwd`/$OVS_SOURCE ;; esac
     eoip_ac=`tar -xOf "$OVS_SOURCE" --wildcards --no-wildcards-match-slash '*/configure.ac' 2>/dev/null`
     eoip_landmark=`tar -tf "$OVS_SOURCE" 2>/dev/null | grep '/lib/netdev-native-tnl\.c$'`],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([the source of Open vSwitch is not at $OVS_SOURCE: install the package "openvswitch-source" or give --with-ovs-source=TARBALL|DIR])])
  AS_IF([test -z "$eoip_landmark"],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$OVS_SOURCE does not hold the source of Open vSwitch (no lib/netdev-native-tnl.c in it): give its tarball or folder with --with-ovs-source])])
  OVS_VERSION=`AS_ECHO(["$eoip_ac"]) | $SED -n 's/^AC@&t@_INIT(openvswitch, *\([[^,]]*\),.*/\1/p'`
  OVS_RELEASE=`AS_ECHO(["$OVS_VERSION"]) | $SED 's/^\([[0-9]]*\.[[0-9]]*\).*/\1/'`
  AC_MSG_RESULT([$OVS_SOURCE, version $OVS_VERSION])

  eoip_series=$srcdir/ovs-plugin/patches/series
  OVS_PATCHES=`$SED -n "s/^\(@<:@^# @:>@*\) \(.* \)*$OVS_RELEASE\( .*\)*\$/\1/p" "$eoip_series" | tr '\n' ' '`
  eoip_releases=`$SED -n 's/^.*seam\.patch *//p' "$eoip_series" | paste -s -d ' ' -`
  AS_CASE(["$OVS_PATCHES"], [*seam.patch*], [],
    [AC_MSG_ERROR([there is no patch for Open vSwitch "$OVS_VERSION", only for: $eoip_releases; give another source with --with-ovs-source])])
  AC_SUBST([OVS_SOURCE])
  AC_SUBST([OVS_PATCHES])
])

dnl EOIP_OVS_OPTIONS
dnl
dnl What OVS itself is configured with.  Parity with the distribution's switch
dnl is the default; a feature whose library is missing is left out by OVS's
dnl own configure.
AC_DEFUN([EOIP_OVS_OPTIONS], [
  AC_ARG_WITH([dpdk],
    [AS_HELP_STRING([--with-dpdk@<:@=static|shared|yes@:>@],
       [build the flavour with DPDK, as OVS's option of that name])],
    [], [with_dpdk=no])
  OVS_CONFIGURE_OPTIONS='--prefix=/usr --localstatedir=/var --sysconfdir=/etc --enable-ssl'
  AS_IF([test "$with_dpdk" != no],
    [AS_VAR_APPEND([OVS_CONFIGURE_OPTIONS], [" --with-dpdk=$with_dpdk"])])
  AC_CHECK_HEADERS([xdp/xsk.h], [eoip_afxdp=yes], [eoip_afxdp=no])
  AS_IF([test "$eoip_afxdp" = yes],
    [AS_VAR_APPEND([OVS_CONFIGURE_OPTIONS], [" --enable-afxdp"])])
  AC_SUBST([OVS_CONFIGURE_OPTIONS])
])

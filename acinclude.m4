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
dnl checks that it is OVS and of a release that the patches are for.
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
  AC_ARG_ENABLE([untested-ovs],
    [AS_HELP_STRING([--enable-untested-ovs],
       [take a release of Open vSwitch that is not known, if what is patched
        in the newest known one is there, too])])

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
  AC_MSG_RESULT([$OVS_SOURCE, version $OVS_VERSION])

  eoip_release=`AS_ECHO(["$OVS_VERSION"]) | $SED 's/^\([[0-9]]*\.[[0-9]]*\).*/\1/'`
  eoip_known=`EOIP_SERIES_ROW([seam\.patch])`
  AS_CASE([" `EOIP_SERIES_ROW([tested])` "],
    [*" $eoip_release "*], [eoip_tested=yes], [eoip_tested=no])
  AS_CASE([" $eoip_known "],
    [*" $eoip_release "*], [],
    [AS_IF([test "$enable_untested_ovs" != yes],
       [AC_MSG_ERROR([Open vSwitch "$OVS_VERSION" is none of the known releases: $eoip_known; give another source with --with-ovs-source, or try this one with --enable-untested-ovs])])
     eoip_release=`AS_ECHO(["$eoip_known"]) | $SED 's/.* //'`])
  OVS_PATCHES=`$SED -n "s/^\(@<:@^# @:>@*\.patch\) \(.* \)*$eoip_release\( .*\)*\$/\1/p" "$srcdir/ovs-plugin/patches/series" | tr '\n' ' '`

  AS_IF([test "$eoip_tested" = no],
    [EOIP_TRY_PATCHES
     AC_MSG_WARN([Open vSwitch $OVS_VERSION is untested with EoIP])
     AC_SUBST([OVS_UNTESTED], [-DEOIP_OVS_UNTESTED])])
  AC_SUBST([OVS_SOURCE])
  AC_SUBST([OVS_PATCHES])
])

dnl EOIP_SERIES_ROW(NAME)
dnl
dnl A shell command that prints the releases of a row of the table "series".
m4_define([EOIP_SERIES_ROW],
  [$SED -n 's/^$1  *//p' "$srcdir/ovs-plugin/patches/series"])

dnl EOIP_TRY_PATCHES
dnl
dnl Applies the patches to copies of the files that they are for.
AC_DEFUN([EOIP_TRY_PATCHES], [
  AC_MSG_CHECKING([whether the patches for $eoip_release fit])
  rm -rf conftest.dir && mkdir conftest.dir
  eoip_files=`cd "$srcdir/ovs-plugin/patches" && $SED -n 's,^+++ b/,,p' $OVS_PATCHES | sort -u`
  AS_IF([test -d "$OVS_SOURCE"],
    [(cd "$OVS_SOURCE" && tar -cf - $eoip_files 2>/dev/null) | tar -xf - -C conftest.dir],
    [tar -xf "$OVS_SOURCE" -C conftest.dir --strip-components=1 --wildcards --no-wildcards-match-slash `printf '*/%s ' $eoip_files` 2>/dev/null])
  for eoip_patch in $OVS_PATCHES; do
    AS_IF([$PATCH -s -f -d conftest.dir -p1 -F0 < "$srcdir/ovs-plugin/patches/$eoip_patch" >conftest.out 2>&1], [],
      [AC_MSG_RESULT([no])
       cat conftest.out >&AS_MESSAGE_LOG_FD
       rm -rf conftest.dir
       AC_MSG_ERROR([ovs-plugin/patches/$eoip_patch does not fit Open vSwitch $OVS_VERSION (config.log has what failed): give another source with --with-ovs-source])])
  done
  rm -rf conftest.dir
  AC_MSG_RESULT([yes])
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

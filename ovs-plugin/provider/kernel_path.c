/* SPDX-License-Identifier: Apache-2.0
 *
 * eoip_kernel_path(): asks over rtnetlink(7). */

#include <config.h>

#include "path.h"

#include <errno.h>

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/ioctl.h>

#include "netlink.h"
#include "netlink-socket.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "socket-util.h"
#include "util.h"

/* The answer to RTM_GETROUTE. */
struct route {
    uint8_t type;               /* RTN_UNICAST and so on. */
    unsigned int device;        /* Interface index. */
    struct in6_addr next_hop;
};

static bool
is_ipv4(const struct in6_addr *address)
{
    return IN6_IS_ADDR_V4MAPPED(address);
}

/* Puts an address of either family. */
static void
put_address(struct ofpbuf *request, uint16_t type,
            const struct in6_addr *address)
{
    if (is_ipv4(address)) {
        nl_msg_put_be32(request, type, in6_addr_get_mapped_ipv4(address));
    } else {
        nl_msg_put_in6_addr(request, type, address);
    }
}

/* Gets an address of the family that the length tells, if there is one. */
static void
get_address(const struct nlattr *a, struct in6_addr *address)
{
    if (a && nl_attr_get_size(a) == sizeof(ovs_be32)) {
        in6_addr_set_mapped_ipv4(address, nl_attr_get_be32(a));
    } else if (a && nl_attr_get_size(a) == sizeof *address) {
        *address = nl_attr_get_in6_addr(a);
    }
}

/* Returns 0 or an errno value: that of the route, if there is one that refuses
 * packets. */
static int
get_route(const struct in6_addr *to, const struct in6_addr *from,
          uint32_t mark, struct route *route)
{
    static const struct nl_policy policy[] = {
        [RTA_OIF] = { .type = NL_A_U32, .optional = true },
        [RTA_GATEWAY] = { .type = NL_A_UNSPEC, .optional = true },
    };
    uint8_t bits = is_ipv4(to) ? 32 : 128;
    struct nlattr *attrs[ARRAY_SIZE(policy)];
    struct ofpbuf request, *reply;
    struct rtmsg *rtm;
    int error;

    ofpbuf_init(&request, 0);
    nl_msg_put_nlmsghdr(&request, sizeof *rtm, RTM_GETROUTE, NLM_F_REQUEST);
    rtm = ofpbuf_put_zeros(&request, sizeof *rtm);
    rtm->rtm_family = is_ipv4(to) ? AF_INET : AF_INET6;
    rtm->rtm_dst_len = bits;
    put_address(&request, RTA_DST, to);
    if (ipv6_addr_is_set(from)) {
        rtm->rtm_src_len = bits;
        put_address(&request, RTA_SRC, from);
    }
    if (mark) {
        nl_msg_put_u32(&request, RTA_MARK, mark);
    }
    error = nl_transact(NETLINK_ROUTE, &request, &reply);
    ofpbuf_uninit(&request);
    if (error) {
        return error;
    }

    rtm = ofpbuf_at(reply, NLMSG_HDRLEN, sizeof *rtm);
    if (!rtm || !nl_policy_parse(reply, NLMSG_HDRLEN + sizeof *rtm, policy,
                                 attrs, ARRAY_SIZE(policy))) {
        error = EPROTO;
    } else {
        route->type = rtm->rtm_type;
        route->device = attrs[RTA_OIF] ? nl_attr_get_u32(attrs[RTA_OIF]) : 0;
        route->next_hop = *to;
        get_address(attrs[RTA_GATEWAY], &route->next_hop);
    }
    ofpbuf_delete(reply);
    return error;
}

/* What the kernel knows of the next hop: it asks while there is something to
 * send, and begins anew when nobody has answered. */
static void
look_at_neighbour(const struct route *route, struct eoip_path *path)
{
    struct ofpbuf request, *reply;
    struct ndmsg *ndm;

    ofpbuf_init(&request, 0);
    nl_msg_put_nlmsghdr(&request, sizeof *ndm, RTM_GETNEIGH, NLM_F_REQUEST);
    ndm = ofpbuf_put_zeros(&request, sizeof *ndm);
    ndm->ndm_family = is_ipv4(&route->next_hop) ? AF_INET : AF_INET6;
    ndm->ndm_ifindex = route->device;
    put_address(&request, NDA_DST, &route->next_hop);
    if (!nl_transact(NETLINK_ROUTE, &request, &reply)) {
        ndm = ofpbuf_at(reply, NLMSG_HDRLEN, sizeof *ndm);
        path->asks_neighbour = ndm && ndm->ndm_state & NUD_INCOMPLETE;
        path->no_neighbour = ndm && ndm->ndm_state & NUD_FAILED;
        ofpbuf_delete(reply);
    }
    ofpbuf_uninit(&request);
}

/* True if the kernel has said so.  Else it was not asked, for lack of a
 * descriptor or of memory, and nothing is known. */
static bool
is_refusal(int error)
{
    return error == ENETUNREACH || error == EHOSTUNREACH || error == EACCES
           || error == EINVAL;
}

static bool
is_foreign(const struct in6_addr *address)
{
    struct route route;
    int error = get_route(address, &in6addr_any, 0, &route);

    return error ? is_refusal(error) : route.type != RTN_LOCAL;
}

void
eoip_kernel_path(const char *tunnels, const struct in6_addr *remote,
                 const struct in6_addr *local, uint32_t mark,
                 struct eoip_path *path)
{
    struct route route;
    struct ifreq ifr;
    int error;

    memset(&ifr, 0, sizeof ifr);
    ovs_strzcpy(ifr.ifr_name, tunnels, sizeof ifr.ifr_name);
    error = af_inet_ioctl(SIOCGIFFLAGS, &ifr);
    if (error) {
        path->obstacle = error == ENODEV ? EOIP_PATH_NO_DEVICE
                                         : EOIP_PATH_OPEN;
    } else if (!(ifr.ifr_flags & IFF_UP)) {
        path->obstacle = EOIP_PATH_DEVICE_OFF;
    } else if (ipv6_addr_is_set(local) && is_foreign(local)) {
        path->obstacle = EOIP_PATH_NO_ADDRESS;
    } else if (!ipv6_addr_is_set(remote)) {
        path->obstacle = EOIP_PATH_OPEN;    /* The flows say where to. */
    } else if ((error = get_route(remote, local, mark, &route)) != 0) {
        path->obstacle = is_refusal(error) ? EOIP_PATH_NO_ROUTE
                                           : EOIP_PATH_OPEN;
    } else if (route.type == RTN_LOCAL) {
        path->obstacle = EOIP_PATH_OWN_ADDRESS;
    } else {
        char name[IF_NAMESIZE];

        path->obstacle = EOIP_PATH_OPEN;
        look_at_neighbour(&route, path);
        if (if_indextoname(route.device, name)) {
            ovs_strlcpy_arrays(path->device, name);
        }
    }
}

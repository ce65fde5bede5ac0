/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "text.h"

#include "eoip/drops.h"
#include "eoip/wire6.h"
#include "headers.h"

void
text_format_push(const struct ovs_action_push_tnl *push, struct ds *ds)
{
    struct push_note note = headers_get_note(push);

    ds_put_format(ds, "eoip%s(id=%"PRIu16, headers_are_ipv6(push) ? "6" : "",
                  headers_key(push));
    if (note.mtu) {
        ds_put_format(ds, ",mtu=%"PRIu16, note.mtu);
    }
    if (note.flags & PUSH_DF && headers_are_ipv6(push)) {
        ds_put_cstr(ds, ",df");     /* Over IPv4 it is in the header. */
    }
    if (note.flags & PUSH_INHERIT_DF) {
        ds_put_cstr(ds, ",inherit_df");
    }
    if (note.tunnel) {
        ds_put_format(ds, ",tunnel=%"PRIu32, note.tunnel);
    }
    if (note.flags & PUSH_KEEPALIVE) {
        ds_put_cstr(ds, ",keepalive");  /* No flow holds it: not parsed. */
    }
    if (note.drop && note.drop <= EOIP_N_DROPS) {
        ds_put_format(ds, ",drop=%s", eoip_drop_name(note.drop - 1));
    }
    ds_put_char(ds, ')');
}

/* Parses the word behind "drop=".  Returns 0 if it is none that frames which
 * are to be sent are dropped for. */
static uint8_t
parse_drop(const char *s, int *n)
{
    for (int i = 0; i < EOIP_N_DROPS; i++) {
        const char *name = eoip_drop_name(i);
        size_t length = strlen(name);

        if (!eoip_drop_is_rx(i) && !strncmp(s + *n, name, length)
            && s[*n + length] == ')') {
            *n += length;
            return i + 1;
        }
    }
    return 0;
}

bool
text_parse_push(const char *s, int *n, struct ovs_action_push_tnl *push,
                uint32_t *header_len)
{
    bool is_ipv6 = headers_are_ipv6(push);
    char *ip = (char *) push->header + ETH_HEADER_LEN;
    struct push_note note = { .tunnel = 0 };
    uint32_t key, mtu = 0, size = push->header_len;
    int end = *n;

    if (!ovs_scan_len(s, &end, is_ipv6 ? "eoip6(id=%"SCNi32
                                       : "eoip(id=%"SCNi32, &key)
        || key > (is_ipv6 ? EOIP6_KEY_MAX : EOIP_KEY_MAX)) {
        return false;
    }
    if (ovs_scan_len(s, &end, ",mtu=%"SCNi32, &mtu)
        && (mtu < headers_mtu_min(is_ipv6) || mtu > UINT16_MAX)) {
        return false;
    }
    note.mtu = mtu;
    if (is_ipv6 ? ovs_scan_len(s, &end, ",df") : ip[6] & 0x40) {
        note.flags |= PUSH_DF;
    }
    if (ovs_scan_len(s, &end, ",inherit_df")) {
        note.flags |= PUSH_INHERIT_DF;
    }
    ovs_scan_len(s, &end, ",tunnel=%"SCNi32, &note.tunnel);
    if (ovs_scan_len(s, &end, ",drop=")) {
        note.drop = parse_drop(s, &end);
        if (!note.drop) {
            return false;
        }
    }
    if (!ovs_scan_len(s, &end, "))")) {
        return false;
    }
    if (is_ipv6) {
        eoip_put_header6(ip + EOIP_IPV6_HLEN, key);
    } else {
        eoip_put_header(ip + EOIP_IPV4_HLEN, key, 0);
        eoip_put_ipv4_checksum(ip);
    }
    headers_put_note(push, &note);
    *header_len = push->header_len;
    push->header_len = size;    /* Which the caller compares. */
    *n = end;
    return true;
}

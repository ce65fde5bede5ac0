// SPDX-License-Identifier: Apache-2.0
//
// Messages to rtnetlink: see nl_socket.h.

#include "nl_socket.h"

#include <cerrno>

#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/socket.h>
#include <sys/socket.h>

namespace eoip {
namespace {

struct Reply {
    const std::function<void(nlmsghdr *)> &each;
    Answer answer;
    bool done = false;
};

int on_message(nl_msg *message, void *aux)
{
    const auto &each = static_cast<Reply *>(aux)->each;
    if (each) {
        each(nlmsg_hdr(message));
    }
    return NL_OK;
}

int on_end(nl_msg *, void *aux)
{
    static_cast<Reply *>(aux)->done = true;
    return NL_STOP;
}

// The kernel's sentence stands in attributes behind the message that it
// answers, of which there is only the header: we ask for no more.
std::string extended_text(const nlmsgerr *error)
{
    const nlmsghdr *header = reinterpret_cast<const nlmsghdr *>(error) - 1;
    const int size = nlmsg_datalen(header) - static_cast<int>(sizeof *error);
    if (!(header->nlmsg_flags & NLM_F_ACK_TLVS)
        || !(header->nlmsg_flags & NLM_F_CAPPED) || size <= 0) {
        return {};
    }
    const nlattr *text = nla_find(reinterpret_cast<const nlattr *>(error + 1),
                                  size, NLMSGERR_ATTR_MSG);
    return text ? nla_get_string(text) : "";
}

int on_error(sockaddr_nl *, nlmsgerr *error, void *aux)
{
    auto *reply = static_cast<Reply *>(aux);
    reply->answer = {-error->error, extended_text(error)};
    reply->done = true;
    return NL_STOP;
}

[[nodiscard]] Answer failure(int code)
{
    return {EIO, nl_geterror(code)};
}

}  // namespace

Answer Netlink::open()
{
    if (socket_) {
        return {};
    }
    socket_ = nl_socket_alloc();
    if (!socket_) {
        return {ENOMEM, ""};
    }
    if (const int code = nl_connect(socket_, NETLINK_ROUTE); code < 0) {
        nl_socket_free(socket_);
        socket_ = nullptr;
        return failure(code);
    }
    // Kernels without these two say less, and that is all.
    const int on = 1;
    setsockopt(fd(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    setsockopt(fd(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    return {};
}

Answer Netlink::request(nl_msg *message,
                        const std::function<void(nlmsghdr *)> &each)
{
    Reply reply{each, {}};
    if (Answer failed = open()) {
        return failed;
    }
    if (const int code = nl_send_auto(socket_, message); code < 0) {
        return failure(code);
    }
    nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
    nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_message, &reply);
    nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_end, &reply);
    nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_end, &reply);
    nl_cb_err(cb, NL_CB_CUSTOM, on_error, &reply);
    while (!reply.done) {
        const int code = nl_recvmsgs(socket_, cb);
        if (code < 0 && !reply.done) {
            reply.answer = failure(code);
            break;
        }
    }
    nl_cb_put(cb);
    return reply.answer;
}

Answer Netlink::join(int group)
{
    if (Answer failed = open()) {
        return failed;
    }
    const int code = nl_socket_add_membership(socket_, group);
    return code < 0 ? failure(code) : Answer{};
}

void Netlink::drain()
{
    char buffer[1 << 15];
    // ENOBUFS says that some were lost: they were to be thrown away, too.
    while (recv(fd(), buffer, sizeof buffer, MSG_DONTWAIT) > 0
           || errno == ENOBUFS) {
    }
}

}  // namespace eoip
